package deploytest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

// nobody is who proxies run as where the tests run as root.
const nobody = 65534

// software is a reverse proxy and how it is told what to do.
type software struct {
	name, binary string
	// file is the shipped configuration; place writes it into the directory with what it needs to run there and returns
	// the arguments that name it.
	file  string
	place func(t testing.TB, s site) (arguments []string)
	// check and run are put before those arguments.
	check, run []string
	// reload makes a running one read its configuration again.
	reload func(t testing.TB, p *proxy)
	// breakage is an edit that has to be refused.
	breakage [2]string
}

// site is where a proxy runs and what for.
type site struct {
	dir, port, hub string
	// admin is a free port besides.
	admin string
	// idle replaces the 60 seconds after which the shipped file ends a silent stream, in seconds.
	idle string
	// more are further edits of the shipped file.
	more []string
}

func nginx() software {
	return software{
		name: "nginx", binary: "nginx", file: "proxies/nginx/hubd.conf",
		check: []string{"-t", "-q"}, reload: signal(syscall.SIGHUP),
		breakage: [2]string{"proxy_buffering off;", "proxy_buffring off;"},
		place: func(t testing.TB, s site) []string {
			text := edit(t, shipped(t, "proxies/nginx/hubd.conf"), append([]string{
				"listen 443 ssl http2", "listen 127.0.0.1:" + s.port + " ssl http2",
				"hub.example.com", "localhost", "/etc/ssl/hubd/", s.dir + "/", "127.0.0.1:3000", s.hub, "timeout 60s", "timeout " + s.idle + "s",
			}, s.more...)...)
			write(t, filepath.Join(s.dir, "hubd.conf"), text)
			temporary := ""
			for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
				temporary += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, s.dir, kind)
			}
			write(t, filepath.Join(s.dir, "nginx.conf"), fmt.Sprintf(
				"daemon off;\npid %[1]s/pid;\nworker_processes 1;\nevents { worker_connections 256; }\nhttp {\n%[2]sinclude %[1]s/hubd.conf;\n}\n", s.dir, temporary))
			return []string{"-e", "stderr", "-p", s.dir, "-c", filepath.Join(s.dir, "nginx.conf")}
		},
	}
}

func haproxy() software {
	return software{
		name: "haproxy", binary: "haproxy", file: "proxies/haproxy/haproxy.cfg",
		check: []string{"-c"}, run: []string{"-W", "-db"}, reload: signal(syscall.SIGUSR2),
		breakage: [2]string{"default_backend hubd", "default_backend nowhere"},
		place: func(t testing.TB, s site) []string {
			text := edit(t, shipped(t, "proxies/haproxy/haproxy.cfg"), append([]string{
				"bind :443", "bind 127.0.0.1:" + s.port, "/etc/ssl/hubd/", s.dir + "/", "127.0.0.1:3000", s.hub,
				"timeout client 60s", "timeout client " + s.idle + "s", "timeout server 60s", "timeout server " + s.idle + "s",
				"maxconn 20000", "maxconn 200",
			}, s.more...)...)
			write(t, filepath.Join(s.dir, "haproxy.cfg"), text)
			return []string{"-f", filepath.Join(s.dir, "haproxy.cfg")}
		},
	}
}

func caddy() software {
	return software{
		name: "caddy", binary: "caddy", file: "proxies/caddy/Caddyfile",
		check: []string{"validate"}, run: []string{"run"},
		breakage: [2]string{"flush_interval", "flush_intervall"},
		reload: func(t testing.TB, p *proxy) {
			t.Helper()
			c := p.command(append([]string{"reload", "--force", "--address", "127.0.0.1:" + p.site.admin}, p.arguments...)...)
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("caddy reload: %v\n%s", err, out)
			}
		},
		place: func(t testing.TB, s site) []string {
			text := edit(t, shipped(t, "proxies/caddy/Caddyfile"), append([]string{
				"\tgrace_period 10s\n", fmt.Sprintf("\tgrace_period 1s\n\tadmin 127.0.0.1:%s\n\tauto_https disable_redirects\n", s.admin),
				"hub.example.com {", fmt.Sprintf("https://localhost:%s {\n\tbind 127.0.0.1\n\ttls %[2]s/fullchain.pem %[2]s/privkey.pem", s.port, s.dir),
				"127.0.0.1:3000", s.hub, "read_timeout 60s", "read_timeout " + s.idle + "s",
			}, s.more...)...)
			write(t, filepath.Join(s.dir, "Caddyfile"), text)
			return []string{"--config", filepath.Join(s.dir, "Caddyfile"), "--adapter", "caddyfile"}
		},
	}
}

func apache() software {
	return software{
		name: "apache", binary: "apache2", file: "proxies/apache/hubd.conf",
		check: []string{"-t"}, run: []string{"-D", "FOREGROUND"}, reload: signal(syscall.SIGUSR1),
		breakage: [2]string{"flushpackets=on", "flushpackets=perhaps"},
		place: func(t testing.TB, s site) []string {
			text := edit(t, shipped(t, "proxies/apache/hubd.conf"), append([]string{
				"<VirtualHost *:443>", "<VirtualHost 127.0.0.1:" + s.port + ">", "hub.example.com", "localhost",
				"/etc/ssl/hubd/", s.dir + "/", "127.0.0.1:3000", s.hub, "timeout=60", "timeout=" + s.idle,
			}, s.more...)...)
			write(t, filepath.Join(s.dir, "hubd.conf"), text)
			modules := ""
			for _, m := range []string{"mpm_event", "authz_core", "setenvif", "ssl", "http2", "headers", "proxy", "proxy_http"} {
				modules += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
			}
			write(t, filepath.Join(s.dir, "apache2.conf"), fmt.Sprintf(
				"%sServerRoot %[2]s\nServerName localhost\nListen 127.0.0.1:%[3]s\nPidFile %[2]s/pid\nDefaultRuntimeDir %[2]s\nErrorLog /dev/stderr\nStartServers 1\nThreadsPerChild 25\nMaxRequestWorkers 100\nInclude %[2]s/hubd.conf\n",
				modules, s.dir, s.port))
			return []string{"-f", filepath.Join(s.dir, "apache2.conf")}
		},
	}
}

func signal(s syscall.Signal) func(testing.TB, *proxy) {
	return func(t testing.TB, p *proxy) {
		t.Helper()
		if err := p.cmd.Process.Signal(s); err != nil {
			t.Fatalf("signalling %s: %v", p.software.name, err)
		}
	}
}

// proxy is a running one.
type proxy struct {
	software
	site      site
	arguments []string
	client    *http.Client
	url       string

	cmd    *exec.Cmd
	exited chan struct{}
	log    *os.File
}

// startProxy runs a hub with the arguments and a proxy in front of it. Edits are of the shipped file. The hub has two
// names, and refuses requests for any other host.
func startProxy(t testing.TB, s software, idle string, arguments []string, edits ...string) (*proxy, *hubtest.Process) {
	t.Helper()
	port := freePort(t)
	hub := hubtest.Start(t, t.TempDir(), append(arguments, "--public-url=https://hub.example.com/.well-known/mercure,https://localhost:"+port+"/.well-known/mercure")...)
	p := placeProxy(t, s, port, strings.TrimPrefix(hub.Address(), "http://"), idle, edits...)
	if out, err := p.command(append(p.software.check, p.arguments...)...).CombinedOutput(); err != nil {
		t.Fatalf("%s refuses %s: %v\n%s", s.name, s.file, err, out)
	}
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			text, _ := os.ReadFile(p.log.Name())
			t.Logf("log of %s:\n%s", s.name, text)
		}
	})
	p.start(t)
	return p, hub
}

// placeProxy writes what a proxy needs into a directory that is its own.
func placeProxy(t testing.TB, s software, port, hub, idle string, edits ...string) *proxy {
	t.Helper()
	if _, err := exec.LookPath(s.binary); err != nil {
		t.Fatalf("%v; scripts/test-deps.sh installs it", err)
	}
	dir, err := os.MkdirTemp("", "hubd-proxy-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	roots := certify(t, dir)
	p := &proxy{software: s, site: site{dir: dir, port: port, admin: freePort(t), hub: hub, idle: idle, more: edits}}
	p.arguments = s.place(t, p.site)
	if p.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.log.Close() })
	if os.Geteuid() == 0 {
		err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chown(path, nobody, nobody)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	p.url = "https://localhost:" + p.site.port + "/.well-known/mercure"
	p.client = &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(p.client.CloseIdleConnections)
	return p
}

// command is the proxy's program with arguments, as its own user.
func (p *proxy) command(arguments ...string) *exec.Cmd {
	c := exec.Command(p.binary, arguments...)
	c.Dir = p.site.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.site.dir, "XDG_DATA_HOME=" + p.site.dir, "XDG_CONFIG_HOME=" + p.site.dir}
	if os.Geteuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return c
}

// start runs the proxy and returns once the hub can be reached through it.
func (p *proxy) start(t testing.TB) {
	t.Helper()
	p.cmd, p.exited = p.command(append(p.software.run, p.arguments...)...), make(chan struct{})
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait()
	}()
	p.await(t)
}

// await asks for the hub's health until it is answered.
func (p *proxy) await(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Patience)
	defer cancel()
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, strings.Replace(p.url, "/.well-known/mercure", "/healthz", 1), nil)
		res, err := p.client.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-pause.C:
		case <-p.exited:
			t.Fatalf("%s ended: %v", p.name, p.cmd.ProcessState)
		case <-ctx.Done():
			t.Fatalf("the hub cannot be reached through %s: %v", p.name, err)
		}
	}
}

// stop ends the proxy with all its connections.
func (p *proxy) stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(hubtest.Patience):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	p.cmd = nil
}

// freePort returns a port that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// certify makes a certificate for localhost in the directory and returns who vouches for it.
func certify(t testing.TB, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 3, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	chain := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	secret := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	write(t, filepath.Join(dir, "fullchain.pem"), chain)
	write(t, filepath.Join(dir, "privkey.pem"), secret)
	write(t, filepath.Join(dir, "hubd.pem"), chain+secret)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(chain))
	return roots
}

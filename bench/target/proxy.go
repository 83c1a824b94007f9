//go:build linux

package target

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"hubd/bench/process"
)

// ErrNoNginx is wrapped when nginx is not installed.
var ErrNoNginx = errors.New("nginx is not installed (Debian: nginx-light)")

// FindNginx reports whether nginx is where Debian has it.
func FindNginx() error {
	if _, err := os.Stat(nginxPath); err != nil {
		return fmt.Errorf("%w: %w", ErrNoNginx, err)
	}
	return nil
}

// Proxy is an nginx in front of a hub that speaks TLS to the streams and plain HTTP to the hub.
type Proxy struct {
	Addr netip.AddrPort
	// Roots has the proxy's certificate, which is made for the run and known to nobody else.
	Roots *x509.CertPool
	PIDs  []int

	child *process.Child
	dir   string
}

// StartProxy starts nginx in front of a hub, with a temporary directory below dir.
func StartProxy(ctx context.Context, dir string, hub netip.AddrPort) (p *Proxy, err error) {
	if err := FindNginx(); err != nil {
		return nil, err
	}
	dir, err = os.MkdirTemp(dir, "hubd-bench-proxy-")
	if err != nil {
		return nil, fmt.Errorf("make the directory of the proxy: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	p = &Proxy{Addr: addr, dir: dir}
	if p.Roots, err = writeCertificate(dir, addr.Addr(), time.Now()); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(proxyConfig(dir, addr, hub)), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration of the proxy: %w", err)
	}
	if p.child, err = process.Start(exec.Command(nginxPath, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log")), nil); err != nil {
		return nil, err
	}
	if err := awaitListener(ctx, addr, p.child); err != nil {
		return nil, errors.Join(err, p.child.Stop(stopGrace))
	}
	if p.PIDs, err = awaitWorkers(ctx, p.child); err != nil {
		return nil, errors.Join(err, p.child.Stop(stopGrace))
	}
	return p, nil
}

// Stop ends the proxy and removes what was written for it.
func (p *Proxy) Stop() error { return errors.Join(p.child.Stop(stopGrace), os.RemoveAll(p.dir)) }

// writeCertificate makes a key and a certificate for an address that is good for a day, and writes them where
// proxyConfig looks for them.
func writeCertificate(dir string, addr netip.Addr, now time.Time) (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the proxy's key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{addr.AsSlice()}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the proxy's certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the proxy's key: %w", err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "cert.pem"), certificate, 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
	if err != nil {
		return nil, fmt.Errorf("write the proxy's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return roots, nil
}

// proxyConfig is an nginx that ends TLS, with what event streams need of a proxy: no buffering, HTTP/1.1 towards
// the hub, and patience.
func proxyConfig(dir string, addr, hub netip.AddrPort) string {
	return strings.NewReplacer("WORKERS", strconv.Itoa(nginxWorkers), "DIR", dir, "ADDR", addr.String(), "HUB", hub.String()).Replace(`
user root;
daemon off;
worker_processes WORKERS;
worker_rlimit_nofile 20000;
pid DIR/nginx.pid;
events { worker_connections 9000; }
http {
  access_log off;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  server {
    listen ADDR ssl backlog=4096;
    ssl_certificate DIR/cert.pem;
    ssl_certificate_key DIR/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {
      proxy_pass http://HUB;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_buffering off;
      proxy_read_timeout 24h;
    }
  }
}
`)
}

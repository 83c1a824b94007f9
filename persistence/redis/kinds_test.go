package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hubd/internal/hubtest/engines"
	"hubd/persistence"
)

// exercise appends with one log, and reads, finds and uses a board with another.
func exercise(t *testing.T, url string) {
	t.Helper()
	prefix := newPrefix()
	log := openLog(t, Options{URL: url, Prefix: prefix})
	placed := appendTo(t, log, "", "chosen", "")
	second := openLog(t, Options{URL: url, Prefix: prefix, Ring: persistence.RingOptions{Slots: 1}})
	events := readAll(t, second)
	if len(events) != 3 {
		t.Fatalf("%d events, want 3", len(events))
	}
	for i, e := range events {
		if e.ID() != placed[i].ID() || string(e.Frame()) != string(placed[i].Frame()) {
			t.Errorf("event %d is %q, want %q", i+1, e.Frame(), placed[i].Frame())
		}
		if position, found, err := second.Find(placed[i].ID()); err != nil || !found || position != e.Position {
			t.Errorf("find of event %d is (%d, %t), %v", i+1, position, found, err)
		}
	}
	if _, err := second.Board("nodes").Renew(t.Context(), "n", 1000); err != nil {
		t.Error(err)
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "redis.sock")
	engines.StartRedis(t, "--unixsocket", path)
	exercise(t, "unix://"+path+"?db=3")
}

// A cluster is one by its answers, however many servers it has: keys are to be in one slot, connections go by the slot.
func TestCluster(t *testing.T) {
	t.Parallel()
	r := engines.StartRedis(t, "--cluster-enabled", "yes")
	r.Must(t, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	for deadline := time.Now().Add(within); !strings.Contains(r.Must(t, "CLUSTER", "INFO"), "cluster_state:ok"); {
		if time.Now().After(deadline) {
			t.Fatal("the cluster does not come up")
		}
	}
	exercise(t, r.URL()+"?cluster=true")
}

func TestPassword(t *testing.T) {
	t.Parallel()
	r := engines.StartRedis(t)
	r.Must(t, "ACL", "SETUSER", "hub", "on", ">open:sesame", "~{test*", "+@all")
	exercise(t, "redis://hub:open%3Asesame@"+r.Address+"/2")
	_, err := Open(t.Context(), Options{URL: "redis://hub:wrong-secret@" + r.Address})
	if err == nil || errors.Is(err, persistence.ErrUnavailable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("open with a wrong password: %v", err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, key := selfSigned(t, dir)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	_ = listener.Close()
	engines.StartRedis(t, "--tls-port", port, "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate, "--tls-auth-clients", "no")
	exercise(t, "rediss://"+address+"?ca="+certificate)
	if _, err := Open(t.Context(), Options{URL: "rediss://" + address}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("open without the CA: %v", err)
	}
	if _, err := Open(t.Context(), Options{URL: "rediss://" + address + "?ca=" + key}); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("open with a key for a CA: %v", err)
	}
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T, dir string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "redis.crt"), filepath.Join(dir, "redis.key")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

// When Sentinel puts a replica in the place of a master that died, the log goes on there by itself.
func TestSentinel(t *testing.T) {
	t.Parallel()
	first, second := engines.StartRedis(t, promptly...), engines.StartRedis(t, promptly...)
	follow(t, second, first)
	sentinel := engines.StartSentinel(t, "hubs", first)
	sentinel.AwaitInfo(t, "sentinel", "slaves=1")
	log := openLog(t, Options{URL: "redis://" + sentinel.Address + "?sentinel=hubs", Timeout: within})
	if caveats := log.Caveats(); len(caveats) != 1 || !strings.Contains(caveats[0], "wait-replicas") {
		t.Errorf("caveats: %q", caveats)
	}
	w := startWriter(log)
	w.await(t, 20)
	first.Kill()
	w.await(t, 20)
	w.stop()
	if role := second.Must(t, "INFO", "replication"); !strings.Contains(role, "role:master") {
		t.Errorf("the second server is no master:\n%s", role)
	}
	if _, err := log.Append(nil); err != nil {
		t.Error(err)
	}
}

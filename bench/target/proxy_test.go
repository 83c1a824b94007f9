//go:build linux

package target

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProxyConfig(t *testing.T) {
	t.Parallel()
	text := proxyConfig("/d", netip.MustParseAddrPort("127.0.0.1:99"), netip.MustParseAddrPort("127.0.0.1:98"))
	for _, want := range []string{
		"listen 127.0.0.1:99 ssl", "proxy_pass http://127.0.0.1:98;", "ssl_certificate /d/cert.pem;", "pid /d/nginx.pid;", "proxy_buffering off;",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	for _, mark := range []string{"HUB", "DIR", "ADDR", "WORKERS"} {
		if strings.Contains(text, mark) {
			t.Errorf("%s is left", mark)
		}
	}
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Unix(1_700_000_000, 0)
	roots, err := writeCertificate(dir, netip.MustParseAddr("127.0.0.1"), now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"127.0.0.1": true, "127.0.0.2": false} {
		_, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now})
		if (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "key.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := writeCertificate(filepath.Join(dir, "none"), netip.MustParseAddr("127.0.0.1"), now); err == nil {
		t.Error("written into a directory that does not exist")
	}
}

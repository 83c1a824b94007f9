package auth

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// locate returns the location of a set at the URL.
func locate(tb testing.TB, url string) *location {
	tb.Helper()
	l, err := newLocation(KeySet{URL: url})
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func TestURLsOfKeySets(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://issuer.example/jwks.json", "https://issuer.example:8443/keys?p=policy", "https://127.0.0.1/", "https://issuer.example",
		"http://127.0.0.1:8080/jwks", "http://127.1.2.3/", "http://[::1]:80/", "http://localhost/jwks",
		"file:///etc/hubd/jwks.json", "file://localhost/etc/hubd/jwks.json",
	} {
		if err := (KeySet{URL: url}).Validate(); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for url, why := range map[string]string{
		"issuer.example/jwks":               "neither https, http nor file",
		"https:///jwks":                     "neither https, http nor file",
		"ftp://issuer.example/jwks":         "neither https, http nor file",
		"/etc/hubd/jwks.json":               "neither https, http nor file",
		"https://user:s3cr3t@issuer.ex/k":   "has a user",
		"https://issuer.example/%zz?s3cr3t": "cannot be read",
		"http://issuer.example/s3cr3t":      "plain http",
		"http://10.0.0.1/jwks":              "plain http",
		"http://127.0.0.1.nip.example/":     "plain http",
		"http://localhost.example/":         "plain http",
		"file:jwks.json":                    "does not name a file",
		"file://jwks.json":                  "does not name a file",
		"file://issuer.example/jwks.json":   "does not name a file",
	} {
		err := (KeySet{URL: url}).Validate()
		if !errors.Is(err, ErrKeySet) || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: got %v, want %q", url, err, why)
		}
	}
	if err := (KeySet{URL: "http://keycloak:8080/certs", AllowHTTP: true}).Validate(); err != nil {
		t.Errorf("allowed http: %v", err)
	}
}

// What a server may do to the hub that asks it for a key set.
func TestFetchesThatFail(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("x"), 10<<20)
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	if _, err := zip.Write(large); err != nil || zip.Close() != nil {
		t.Fatal(err)
	}
	other := newKeeper(t)
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		why    string
	}{
		"nothing there": {http.NotFound, "status 404"},
		"broken":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "status 500"},
		"no content":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "status 204"},
		"hangs up":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"10 MiB":        {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(large) }, "larger than 1048576 bytes"},
		"without an end": {func(w http.ResponseWriter, _ *http.Request) {
			for err := error(nil); err == nil; {
				_, err = w.Write(large)
			}
		}, "larger than 1048576 bytes"},
		"10 MiB, zipped": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		}, "larger than 1048576 bytes"},
		"a large header": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", string(large[:1<<20])) }, "header"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"keys":`))
		}, "unexpected EOF"},
		"sent elsewhere":            {redirect(other.URL), "another origin"},
		"sent to another scheme":    {func(w http.ResponseWriter, r *http.Request) { redirect("https://"+r.Host+"/")(w, r) }, "another origin"},
		"sent to a file":            {redirect("file:///etc/passwd"), "another origin"},
		"sent to a metadata server": {redirect("http://169.254.169.254/latest/meta-data"), "another origin"},
		"sent around":               {redirect("/"), "more than 3 times"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKeeper(t)
			k.do(test.answer)
			d, err := locate(t, k.URL+"/keys?token=s3cr3t").fetch(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.why) || d.body != nil {
				t.Fatalf("got %d bytes, %v, want %q", len(d.body), err, test.why)
			}
			if !strings.HasPrefix(err.Error(), "fetching "+k.URL+"/keys: ") || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the error does not name the location, or shows the query: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		if n := other.fetches.Load(); n != 0 {
			t.Errorf("another server was asked %d times", n)
		}
	})
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

func TestFetchEndsWithItsTimeAndItsContext(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.hang()
	l := locate(t, k.URL)
	l.timeout = time.Millisecond
	if _, err := l.fetch(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	l = locate(t, k.URL)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
}

func TestFetchFollowsRedirectsOfOneOrigin(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	k.do(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/keys", http.StatusMovedPermanently)
			return
		}
		// No connection is kept, nor a goroutine for it.
		if r.Close {
			_, _ = w.Write([]byte("x"))
		}
	})
	if d, err := locate(t, k.URL+"/").fetch(t.Context()); err != nil || string(d.body) != "x" {
		t.Errorf("got %q, %v", d.body, err)
	}
}

// The certificate of an https server has to be one that the machine trusts.
func TestFetchChecksCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	if _, err := locate(t, server.URL).fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
	l := locate(t, server.URL)
	l.client.Transport = server.Client().Transport
	if _, err := l.fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "status 404") {
		t.Errorf("with the certificate trusted: %v", err)
	}
}

// RFC 9111, section 5.2.2.1.
func TestLifetimeOfADocument(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"":                               0,
		"no-cache, no-store":             0,
		"max-age=0":                      0,
		"max-age=60":                     time.Minute,
		"public, Max-Age=60, immutable":  time.Minute,
		`max-age="60"`:                   time.Minute,
		"max-age=4294967295":             24 * time.Hour,
		"max-age=99999999999999999999":   0,
		"max-age=-1":                     0,
		"max-age":                        0,
		"s-maxage=60":                    0,
		"stale-while-revalidate=1,x=y,,": 0,
	} {
		if got := maxAge(http.Header{"Cache-Control": {value}}); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

func TestFilesOfKeySets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a set.json")
	l := locate(t, (&url.URL{Scheme: "file", Path: path}).String())
	read := func() (string, error) {
		d, err := l.fetch(t.Context())
		return string(d.body), err
	}
	if _, err := read(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	for _, content := range []string{"one", "two", strings.Repeat("x", maxSetBytes)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := read(); got != content || err != nil {
			t.Errorf("%d bytes: got %d, %v", len(content), len(got), err)
		}
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), maxSetBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a file that is too large: %v", err)
	}
	if _, err := locate(t, "file://"+dir).fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := locate(t, "file://"+pipe).fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a pipe: %v", err)
	}
}

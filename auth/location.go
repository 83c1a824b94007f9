package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// maxSetBytes bounds a key set as it is read, after decompression.
	maxSetBytes = 1 << 20
	// maxRedirects bounds the redirects that are followed, all of which stay on one host.
	maxRedirects = 3
	// fetchTimeout is the longest that a fetch may take, from the connection to the last byte.
	fetchTimeout = 10 * time.Second
)

// location is where a key set is kept.
type location struct {
	url     *url.URL
	client  *http.Client // nil for a file
	timeout time.Duration
}

// document is a key set as it was read.
type document struct {
	body []byte
	// lifetime is how long its keeper says that it may be held; 0 if it does not say.
	lifetime time.Duration
}

// newLocation reads the URL of a set. Errors wrap ErrKeySet and do not quote the URL, which may hold
// what should not be shown.
func newLocation(s KeySet) (*location, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("%w: the URL cannot be read; write it like https://issuer.example/jwks.json", ErrKeySet)
	}
	l := &location{url: u, timeout: fetchTimeout}
	switch {
	case u.Scheme == "file":
		if u.Opaque != "" || u.Host != "" && u.Host != "localhost" || !filepath.IsAbs(u.Path) {
			return nil, fmt.Errorf("%w: the URL does not name a file of this machine; write it like file:///etc/hubd/jwks.json", ErrKeySet)
		}
		return l, nil
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, fmt.Errorf("%w: the URL is neither https, http nor file; write it like https://issuer.example/jwks.json", ErrKeySet)
	case u.User != nil:
		return nil, fmt.Errorf("%w: the URL has a user in it, which is not supported", ErrKeySet)
	case u.Scheme == "http" && !s.AllowHTTP && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("%w: plain http lets whoever is on the way to %s choose the keys; use https", ErrKeySet, u.Host)
	}
	l.client = &http.Client{Transport: newTransport(u, newGuard(u.Hostname(), s.AllowPrivate)), CheckRedirect: l.checkRedirect}
	return l, nil
}

// isLoopback reports whether the host is certainly this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// checkRedirect keeps the fetch on the origin that the operator named: a redirect could otherwise make
// the hub ask any address that it can reach ("Protected Resource Metadata and Authorization Server
// Selection").
func (l *location) checkRedirect(next *http.Request, via []*http.Request) error {
	switch {
	case next.URL.Scheme != l.url.Scheme || next.URL.Host != l.url.Host || next.URL.User != nil:
		return errors.New("redirected to another origin, which is not followed; configure the URL that has the set")
	case len(via) > maxRedirects:
		return fmt.Errorf("redirected more than %d times", maxRedirects)
	}
	return nil
}

func (l *location) isFile() bool { return l.url.Scheme == "file" }

// String returns the URL without what may be a credential.
func (l *location) String() string {
	shown := url.URL{Scheme: l.url.Scheme, Host: l.url.Host, Path: l.url.Path}
	return shown.String()
}

// fetch reads the document anew, within the timeout and the bound of its size. Errors name the location
// and hold nothing of the document.
func (l *location) fetch(ctx context.Context) (document, error) {
	read := l.get
	if l.isFile() {
		read = l.readFile
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	d, err := read(ctx)
	if err != nil {
		return document{}, fmt.Errorf("fetching %s: %w", l, err)
	}
	return d, nil
}

func (l *location) get(ctx context.Context) (document, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url.String(), nil)
	if err != nil {
		return document{}, errors.New("no request can be made of the URL")
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	res, err := l.client.Do(req)
	if err != nil {
		// The client's own error quotes the whole URL.
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return document{}, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return document{}, fmt.Errorf("the answer has status %d", res.StatusCode)
	}
	body, err := readBounded(res.Body)
	return document{body: body, lifetime: maxAge(res.Header)}, err
}

// readFile reads a regular file; to open any other kind could wait for ever.
func (l *location) readFile(context.Context) (document, error) {
	info, err := os.Stat(l.url.Path)
	if err != nil {
		return document{}, err
	}
	if !info.Mode().IsRegular() {
		return document{}, errors.New("not a regular file")
	}
	f, err := os.Open(l.url.Path)
	if err != nil {
		return document{}, err
	}
	defer f.Close()
	body, err := readBounded(f)
	return document{body: body, lifetime: fileLifetime}, err
}

func readBounded(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxSetBytes+1))
	if err == nil && len(body) > maxSetBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxSetBytes)
	}
	return body, err
}

// maxAge returns the max-age of Cache-Control (RFC 9111, section 5.2.2.1), 0 if there is none.
func maxAge(h http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		// Beyond a day is as good as a day, and cannot overflow.
		if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 32); err == nil {
			return min(time.Duration(seconds)*time.Second, 24*time.Hour)
		}
	}
	return 0
}

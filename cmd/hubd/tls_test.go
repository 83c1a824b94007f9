package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

// secureHub is a hub with TLS and a certificate that only the test trusts.
type secureHub struct {
	*hubtest.Process
	dir       string
	address   string // of TLS
	authority *hubtest.Authority
	cert, key string
	// h1 and h2 speak HTTP/1.1 and HTTP/2 with it over TLS.
	h1, h2   *hubtest.Process
	one, two *http.Client
}

func startSecure(t *testing.T, args ...string) *secureHub {
	t.Helper()
	h := &secureHub{dir: t.TempDir(), authority: hubtest.NewAuthority(t)}
	h.cert, h.key = h.authority.Issue(t, h.dir, time.Now().Add(time.Hour))
	h.Process = hubtest.Launch(t, h.dir, append(h.args(), args...)...)
	h.await(t)
	return h
}

func (h *secureHub) args() []string {
	return []string{"--anonymous", "--drain=0s", "--tls-listen=127.0.0.1:0", "--tls-cert=" + h.cert, "--tls-key=" + h.key}
}

// await learns the addresses of the hub.
func (h *secureHub) await(t *testing.T) {
	t.Helper()
	h.AwaitServing(t)
	h.address = h.AwaitLog(t, "serving TLS")["address"]
	secureURL := "https://" + h.address + "/.well-known/mercure"
	h.one, h.two = h.authority.Client(t, false), h.authority.Client(t, true)
	h.h1, h.h2 = h.Over(h.one, secureURL), h.Over(h.two, secureURL)
}

// ask sends a request over one of the protocols and reads the answer.
func (h *secureHub) ask(t *testing.T, client *http.Client, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "https://"+h.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	a, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(text)
}

// Publish, subscribe and resume over both protocols and without TLS: one hub, one log.
func TestTLSPublishSubscribeResume(t *testing.T) {
	t.Parallel()
	h := startSecure(t)
	all := map[string]*hubtest.Process{"plain": h.Process, "h1": h.h1, "h2": h.h2}
	streams := make(map[string]*hubtest.Stream)
	for name, p := range all {
		streams[name] = p.Subscribe(t, "topic="+enc(topic))
	}
	var ids, data []string
	for i := range 3 {
		for _, p := range []*hubtest.Process{h.Process, h.h1, h.h2} {
			data = append(data, fmt.Sprint(i, p.URL))
			ids = append(ids, p.PublishData(t, topic, data[len(data)-1]))
		}
	}
	for name, p := range all {
		streams[name].Expect(t, data...)
		resumed := p.Subscribe(t, "match="+enc(topic), "Last-Event-ID", ids[4])
		resumed.Expect(t, data[5:]...)
		if got := resumed.Header.Get("Mercure-Last-Event-ID"); got != ids[4] {
			t.Errorf("%s: the stream says that it begins after %q, want %q", name, got, ids[4])
		}
		if s := p.Query(t, "match="+enc(topic), "match=other&last_event_id=earliest"); s.Next(t).Data != data[0] {
			t.Errorf("%s: QUERY has no history", name)
		}
	}
}

// The protocol that ALPN has chosen is spoken, and fields that belong to a connection are not sent over HTTP/2
// (RFC 9113, section 8.2.2).
func TestTLSProtocols(t *testing.T) {
	t.Parallel()
	h := startSecure(t)
	for want, p := range map[string]*hubtest.Process{"HTTP/1.1": h.h1, "HTTP/2.0": h.h2} {
		client := h.one
		if p == h.h2 {
			client = h.two
		}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
			a, _ := h.ask(t, client, method, "/healthz", "")
			if a.Proto != want || a.TLS == nil || a.TLS.Version < tls.VersionTLS12 {
				t.Errorf("%s: spoken is %s", want, a.Proto)
			}
		}
		s := p.Subscribe(t, "topic=*")
		if s.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: content type of a stream is %q", want, s.Header.Get("Content-Type"))
		}
		if connection := s.Header.Get("Connection"); want == "HTTP/2.0" && connection != "" {
			t.Errorf("%s: a stream has Connection: %s", want, connection)
		}
	}
	old := h.authority.Config()
	old.MaxVersion = tls.VersionTLS11
	old.MinVersion = tls.VersionTLS10
	if c, err := tls.Dial("tcp", h.address, old); err == nil {
		_ = c.Close()
		t.Error("the hub speaks TLS 1.1")
	}
	h.AwaitMetric(t, "hubd_tls_handshake_failures_total", "1")
}

// Each answer over HTTP/2 is the one over HTTP/1.1: the cases that conformance.md has tests for, and limits of requests.
func TestHTTP2AnswersAsHTTP1(t *testing.T) {
	t.Parallel()
	h := startSecure(t, "--max-body=20KiB", "--max-topics=2", "--max-matchers=2", "--subscriptions", "--cors-origins=https://app.example", "--issuer=https://issuer.example")
	publisher := "Bearer " + hubtest.Token(t, []string{"https://example.com/books/{id}"}, nil)
	subscriber := "Bearer " + hubtest.Token(t, nil, []string{"*"})
	const form = "application/x-www-form-urlencoded"
	const hub = "/.well-known/mercure"
	for name, test := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
	}{
		"publish":                    {"POST", hub, "topic=" + enc(topic) + "&id=urn:one", []string{"Authorization", publisher, "Content-Type", form}, 200},
		"publish without a token":    {"POST", hub, "topic=x", []string{"Content-Type", form}, 401},
		"publish with two tokens":    {"POST", hub, "topic=x", []string{"Authorization", publisher, "Authorization", publisher, "Content-Type", form}, 400},
		"publish what is forbidden":  {"POST", hub, "topic=other", []string{"Authorization", publisher, "Content-Type", form}, 403},
		"publish of another type":    {"POST", hub, "{}", []string{"Authorization", publisher, "Content-Type", "application/json"}, 400},
		"publish that is compressed": {"POST", hub, "x", []string{"Authorization", publisher, "Content-Type", form, "Content-Encoding", "gzip"}, 415},
		"too many topics":            {"POST", hub, "topic=a&topic=b&topic=c", []string{"Authorization", publisher, "Content-Type", form}, 413},
		"body too large":             {"POST", hub, "topic=a&data=" + strings.Repeat("x", 8<<20), []string{"Authorization", publisher, "Content-Type", form}, 413},
		"no matcher":                 {"GET", hub, "", nil, 400},
		"too many matchers":          {"GET", hub + "?topic=a&topic=b&topic=c", "", nil, 400},
		"reserved matcher":           {"GET", hub + "?match_regexp=a", "", nil, 400},
		"bad token":                  {"GET", hub + "?topic=a", "", []string{"Authorization", "Bearer x"}, 401},
		"token that is no bearer":    {"GET", hub + "?topic=a", "", []string{"Authorization", "Basic x"}, 400},
		"preflight":                  {"OPTIONS", hub, "", []string{"Origin", "https://app.example", "Access-Control-Request-Method", "POST"}, 204},
		"preflight of a stranger":    {"OPTIONS", hub, "", []string{"Origin", "https://evil.example"}, 204},
		"method":                     {"DELETE", hub, "", nil, 405},
		"head":                       {"HEAD", hub + "?topic=a", "", nil, 405},
		"metadata":                   {"GET", "/.well-known/oauth-protected-resource" + hub, "", nil, 200},
		"head of metadata":           {"HEAD", "/.well-known/oauth-protected-resource" + hub, "", nil, 200},
		"subscription API":           {"GET", hub + "/subscriptions", "", []string{"Authorization", subscriber}, 200},
		"no such subscription":       {"GET", hub + "/subscriptions/a%2Fb/urn:x", "", []string{"Authorization", subscriber}, 404},
		"revocation without a token": {"POST", hub + "/revocations", "topic=a", []string{"Content-Type", form}, 401},
		"health":                     {"GET", "/healthz", "", nil, 200},
		"nothing":                    {"GET", "/nothing", "", nil, 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, oneText := h.ask(t, h.one, test.method, test.path, test.body, test.headers...)
			two, twoText := h.ask(t, h.two, test.method, test.path, test.body, test.headers...)
			if one.StatusCode != test.status || two.StatusCode != test.status {
				t.Fatalf("status %d over HTTP/1.1 and %d over HTTP/2, want %d", one.StatusCode, two.StatusCode, test.status)
			}
			if oneText != twoText {
				t.Errorf("HTTP/1.1 says %q, HTTP/2 %q", oneText, twoText)
			}
			for _, header := range []http.Header{one.Header, two.Header} {
				header.Del("Date")
				header.Del("Connection")
				header.Del("Etag") // has the time of the hub's last event in it
			}
			if a, b := fmt.Sprint(one.Header), fmt.Sprint(two.Header); a != b {
				t.Errorf("HTTP/1.1 has %s\nHTTP/2 has   %s", a, b)
			}
		})
	}
}

// The head of a request is bounded: HTTP/1.1 says so when it comes, HTTP/2 before (RFC 9113, section 6.5.2).
func TestTLSHeadsAreBounded(t *testing.T) {
	t.Parallel()
	h := startSecure(t)
	long := strings.Repeat("x", 1<<20)
	if a, _ := h.ask(t, h.one, http.MethodGet, "/healthz", "", "X-Long", long); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long head over HTTP/1.1 is answered %d", a.StatusCode)
	}
	h.ask(t, h.two, http.MethodGet, "/healthz", "")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+h.address+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Long", long)
	a, err := h.two.Do(r)
	if err == nil {
		_ = a.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "advertised limit") {
		t.Errorf("a long head over HTTP/2 ends with %v", err)
	}
}

// The URL that the hub calls itself by is https over TLS, whatever a client says, and tokens are for that one.
func TestTLSPublicURL(t *testing.T) {
	t.Parallel()
	h := startSecure(t, "--hsts=24h")
	for client, p := range map[*http.Client]*hubtest.Process{h.one: h.h1, h.two: h.h2} {
		a, _ := h.ask(t, client, http.MethodPost, "/.well-known/mercure", "topic=x", "X-Forwarded-Proto", "http", "Host", "hub.example")
		if got := a.Header.Get("WWW-Authenticate"); !strings.Contains(got, `"https://hub.example/.well-known/oauth-protected-resource/`) {
			t.Errorf("%s: the challenge is %q", a.Proto, got)
		}
		if got := a.Header.Get("Strict-Transport-Security"); got != "max-age=86400" {
			t.Errorf("%s: Strict-Transport-Security is %q", a.Proto, got)
		}
		if got := p.Subscribe(t, "topic=x").Header.Get("Strict-Transport-Security"); got != "max-age=86400" {
			t.Errorf("%s: Strict-Transport-Security of a stream is %q", a.Proto, got)
		}
	}
	// RFC 6797, section 7.2: not over plain HTTP.
	if a := hubtest.Do(t, http.MethodGet, h.Address()+"/healthz", ""); a.Header.Get("Strict-Transport-Security") != "" {
		t.Error("Strict-Transport-Security is sent without TLS")
	}
}

// A hub may serve TLS alone.
func TestTLSAlone(t *testing.T) {
	t.Parallel()
	h := startSecure(t, "--listen=")
	s := h.h2.Subscribe(t, "topic="+enc(topic))
	h.h1.PublishData(t, topic, "one")
	s.Expect(t, "one")
	h.Stop(t)
}

// I3 over HTTP/2: a private update reaches only streams whose token grants it, also where streams share a connection.
func TestInvariantI3OverHTTP2(t *testing.T) {
	t.Parallel()
	h := startSecure(t)
	bearer := func(topics ...string) []string {
		return []string{"Authorization", "Bearer " + hubtest.Token(t, nil, topics)}
	}
	query := "topic=" + enc(topic)
	granted, other := h.h2.Subscribe(t, query, bearer(topic)...), h.h2.Subscribe(t, query, bearer("elsewhere")...)
	anonymous := h.h2.Subscribe(t, query)
	cookie := h.h2.Subscribe(t, query, "Cookie", "mercureAuthorization="+hubtest.Token(t, nil, []string{topic}))
	h.h2.Publish(t, url.Values{"topic": {topic}, "data": {"secret"}, "private": {"on"}})
	h.h2.PublishData(t, topic, "public")
	granted.Expect(t, "secret", "public")
	cookie.Expect(t, "secret", "public")
	other.Expect(t, "public")
	anonymous.Expect(t, "public")
	h.h2.Subscribe(t, query+"&lastEventID=earliest", bearer("elsewhere")...).Expect(t, "public")
}

// Each stream over HTTP/2 counts as a connection, and one too many is answered 429 on a connection that stays.
func TestTLSConnectionsAreLimited(t *testing.T) {
	t.Parallel()
	h := startSecure(t, "--max-connections-per-ip=4")
	first := h.h2.Subscribe(t, "topic=*")
	second := h.h2.Subscribe(t, "topic=*")
	third := h.h2.Subscribe(t, "topic=*") // with the connection, four
	a := h.sameConnection(t, "/.well-known/mercure?topic=*")
	if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
		t.Fatalf("one stream too many is answered %d", a.StatusCode)
	}
	if over, text := h.ask(t, h.one, http.MethodGet, "/healthz", ""); over.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("one connection too many is answered %d: %s", over.StatusCode, text)
	}
	if over, text := h.ask(t, h.authority.Client(t, true), http.MethodGet, "/healthz", ""); over.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("one HTTP/2 connection too many is answered %d: %s", over.StatusCode, text)
	}
	h.Process.AwaitMetric(t, "hubd_connections", "4")
	third.Close()
	h.Process.AwaitMetric(t, "hubd_connections", "3")
	fourth := h.h2.Subscribe(t, "topic=*")
	h.h2.PublishData(t, topic, "x")
	for _, s := range []*hubtest.Stream{first, second, fourth} {
		s.Expect(t, "x")
	}
}

// sameConnection asks over the connection on which h2 has its streams.
func (h *secureHub) sameConnection(t *testing.T, path string) *http.Response {
	t.Helper()
	a, _ := h.ask(t, h.two, http.MethodGet, path, "")
	return a
}

// A pair of files is replaced as Kubernetes does, by a symbolic link, and streams go on. A pair that is broken is not taken.
func TestTLSCertificateReload(t *testing.T) {
	t.Parallel()
	h := &secureHub{dir: t.TempDir(), authority: hubtest.NewAuthority(t)}
	expiry := []time.Time{time.Now().Add(time.Hour).Truncate(time.Second), time.Now().Add(2 * time.Hour).Truncate(time.Second)}
	for i, at := range expiry {
		version := filepath.Join(h.dir, fmt.Sprint("v", i))
		if err := os.Mkdir(version, 0o700); err != nil {
			t.Fatal(err)
		}
		h.authority.Issue(t, version, at)
	}
	swap := func(to string) {
		t.Helper()
		next := filepath.Join(h.dir, "next")
		if err := errors.Join(os.Symlink(to, next), os.Rename(next, filepath.Join(h.dir, "data"))); err != nil {
			t.Fatal(err)
		}
	}
	swap("v0")
	h.cert, h.key = filepath.Join(h.dir, "data", "cert.pem"), filepath.Join(h.dir, "data", "key.pem")
	h.Process = hubtest.Launch(t, h.dir, append(h.args(), "--tls-reload=1s")...)
	h.await(t)
	const metric = "hubd_tls_certificate_expiry_timestamp_seconds"
	shown := func(at time.Time) string { return fmt.Sprintf("%v", float64(at.Unix())) }
	h.Process.AwaitMetric(t, metric, shown(expiry[0]))
	streams := []*hubtest.Stream{h.h1.Subscribe(t, "topic=*"), h.h2.Subscribe(t, "topic=*")}

	swap("nowhere")
	h.AwaitLog(t, "new certificate not loaded, the old one stays")
	h.Process.AwaitMetric(t, `hubd_tls_certificate_loads_total{result="failure"}`, "1")
	if leaf := h.leaf(t); !leaf.Equal(expiry[0]) {
		t.Fatalf("after a broken pair the certificate ends at %s", leaf)
	}
	swap("v1")
	h.AwaitLog(t, "certificate loaded")
	h.Process.AwaitMetric(t, metric, shown(expiry[1]))
	if leaf := h.leaf(t); !leaf.Equal(expiry[1]) {
		t.Fatalf("the certificate ends at %s, want that of the new one", leaf)
	}
	h.PublishData(t, topic, "after")
	for _, s := range streams {
		s.Expect(t, "after")
	}
}

// leaf returns when the certificate ends that the hub shows.
func (h *secureHub) leaf(t *testing.T) time.Time {
	t.Helper()
	c, err := tls.Dial("tcp", h.address, h.authority.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0].NotAfter
}

// stalled opens a stream whose client then reads nothing.
func (h *secureHub) stalled(t *testing.T, http2 bool) io.Closer {
	t.Helper()
	config := h.authority.Config()
	transport := &http.Transport{TLSClientConfig: config, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		return c, err
	}
	t.Cleanup(transport.CloseIdleConnections)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+h.address+"/.well-known/mercure?topic=*", nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Body.Close() })
	return a.Body
}

// A client that reads nothing ends by the dispatch timeout, with that as the reason, and others are not held up by it.
func TestTLSSlowClient(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startSecure(t, "--dispatch-timeout=1s", "--heartbeat=0")
			h.stalled(t, http2)
			brisk := h.h2.Subscribe(t, "topic=*")
			data := strings.Repeat("x", 40<<10)
			// More than the buffers of both systems hold, and the window of the client's library.
			for range 400 {
				h.PublishData(t, topic, data)
				brisk.Expect(t, data)
			}
			h.Process.AwaitMetric(t, `hubd_disconnects_total{reason="stalled"}`, "1")
			h.Process.AwaitMetric(t, "mercure_subscribers_connected", "1")
			brisk.Close()
			h.Process.AwaitMetric(t, "mercure_subscribers_connected", "0")
		})
	}
}

// A client that reads slowly gets every byte, in order, through full sockets and windows.
func TestTLSBackPressureKeepsEveryByte(t *testing.T) {
	t.Parallel()
	h := startSecure(t, "--queue-bytes=64KiB", "--ring-bytes=1MiB")
	for _, p := range []*hubtest.Process{h.h1, h.h2} {
		s := p.Subscribe(t, "topic="+enc(p.URL)+"&topic=big")
		var want []string
		for i := range 120 {
			want = append(want, strings.Repeat(fmt.Sprintf("%03d,", i), 10_000))
			h.PublishData(t, "big", want[i])
		}
		s.Expect(t, want...) // its reader holds no more than 64 events
	}
}

// Streams end in order when the hub stops: HTTP/1.1 with the end that TLS has for it, HTTP/2 with that of the stream.
func TestTLSDrain(t *testing.T) {
	t.Parallel()
	h := startSecure(t, "--drain=500ms")
	bodies := make(map[string]io.ReadCloser)
	for name, p := range map[string]*hubtest.Process{"HTTP/1.1": h.h1, "HTTP/2": h.h2} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"?topic=*", nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := h.authority.Client(t, name == "HTTP/2").Do(r)
		if err != nil {
			t.Fatal(err)
		}
		bodies[name] = a.Body
	}
	h.PublishData(t, topic, "before")
	h.Signal(t, syscall.SIGTERM)
	for name, body := range bodies {
		text, err := io.ReadAll(body)
		_ = body.Close()
		if err != nil || !bytes.Contains(text, []byte("data: before\n")) || !bytes.Contains(text, []byte("retry: ")) {
			t.Errorf("%s: the stream ended with %v after %q", name, err, text)
		}
	}
	if code := h.Wait(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
}

// I5: streams over TLS leave nothing behind.
func TestInvariantI5OverTLS(t *testing.T) {
	t.Parallel()
	h := startSecure(t)
	numbers := func() (goroutines, descriptors string) {
		return h.Metric(t, "go_goroutines"), h.Metric(t, "process_open_fds")
	}
	round := func(streams int) {
		t.Helper()
		for _, http2 := range []bool{false, true} {
			client := h.authority.Client(t, http2)
			p := h.Over(client, h.h1.URL)
			var all []*hubtest.Stream
			for range streams {
				all = append(all, p.Subscribe(t, "topic=*"))
			}
			h.PublishData(t, topic, "x")
			for _, s := range all {
				s.Expect(t, "x")
				s.Close()
			}
			client.CloseIdleConnections()
		}
		h.Process.AwaitMetric(t, "mercure_subscribers_connected", "0")
		h.Process.AwaitMetric(t, "hubd_connections", "0")
	}
	round(4)
	goroutines, descriptors := numbers()
	for range 5 {
		round(20)
	}
	deadline := time.Now().Add(hubtest.Patience)
	for {
		nowGoroutines, nowDescriptors := numbers()
		if atMost(t, nowGoroutines, goroutines, 8) && atMost(t, nowDescriptors, descriptors, 4) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("goroutines were %s and are %s, descriptors were %s and are %s", goroutines, nowGoroutines, descriptors, nowDescriptors)
		}
	}
}

func atMost(t *testing.T, now, before string, more float64) bool {
	t.Helper()
	var a, b float64
	if _, err := fmt.Sscan(now+" "+before, &a, &b); err != nil {
		t.Fatal(err)
	}
	return a <= b+more
}

// What a certificate lacks is said before anything is served, and the address for browsers sends them on.
func TestTLSConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := hubtest.NewAuthority(t).Issue(t, dir, time.Now().Add(time.Hour))
	_, alien := hubtest.NewAuthority(t).Issue(t, t.TempDir(), time.Now().Add(time.Hour))
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no certificate":  {[]string{"--tls-listen=:443"}, "tls-listen: there is no certificate"},
		"no key":          {[]string{"--tls-listen=:443", "--tls-cert=" + cert}, "tls-key: is missing"},
		"no listener":     {[]string{"--tls-cert=" + cert}, "tls-cert: has no effect without tls-listen"},
		"alien key":       {[]string{"--tls-listen=:443", "--tls-cert=" + cert, "--tls-key=" + alien}, "tls-cert: unusable certificate"},
		"no file":         {[]string{"--tls-listen=:443", "--tls-cert=/nowhere", "--tls-key=" + key}, "tls-cert: reading the certificate"},
		"files and names": {[]string{"--tls-listen=:443", "--tls-cert=" + cert, "--tls-key=" + key, "--acme-domain=a.example"}, "acme-domain: tls-cert or tls-key is set too"},
		"wildcard":        {[]string{"--tls-listen=:443", "--acme-domain=*.example.com"}, "acme-domain: \"*.example.com\" is not a name"},
		"http directory":  {[]string{"--tls-listen=:443", "--acme-domain=a.example", "--acme-directory-url=http://acme.example"}, "acme-directory-url: is not an https URL"},
		"no address":      {[]string{"--listen="}, "listen: is empty and so is tls-listen"},
		"one address":     {[]string{"--tls-listen=127.0.0.1:3000", "--tls-cert=" + cert, "--tls-key=" + key}, "tls-listen: 127.0.0.1:3000 is another server's address too"},
	} {
		code, _, stderr := command(append([]string{"check", "--store=memory://"}, test.args...), keys())
		if code != 2 || !strings.Contains(stderr, "hubd: configuration: "+test.want) {
			t.Errorf("%s: exit code %d, stderr %q", name, code, stderr)
		}
	}
	code, stdout, _ := command([]string{"check", "--store=memory://", "--tls-listen=:443", "--tls-cert=" + cert, "--tls-key=" + key}, keys())
	if code != 0 || !strings.Contains(stdout, "hub on 127.0.0.1:3000 and :443,") {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
}

// Browsers are sent to https; what brings a token or a body is told to use it.
func TestRedirectToHTTPS(t *testing.T) {
	t.Parallel()
	h := startSecure(t, "--http-redirect-listen=127.0.0.1:0")
	from := "http://" + h.AwaitLog(t, "redirecting to https")["address"]
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, Timeout: hubtest.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ask := func(method string, headers ...string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, from+"/.well-known/mercure?topic=a%2Fb", nil)
		if err != nil {
			t.Fatal(err)
		}
		for pair := range slices.Chunk(headers, 2) {
			r.Header.Set(pair[0], pair[1])
		}
		a, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		return a.StatusCode, a.Header.Get("Location")
	}
	if status, to := ask(http.MethodGet); status != http.StatusPermanentRedirect || to != "https://"+h.address+"/.well-known/mercure?topic=a%2Fb" {
		t.Errorf("GET is answered %d to %s", status, to)
	}
	if status, _ := ask(http.MethodPost); status != http.StatusBadRequest {
		t.Errorf("POST is answered %d", status)
	}
	if status, _ := ask(http.MethodGet, "Authorization", "Bearer x"); status != http.StatusBadRequest {
		t.Errorf("GET with a token is answered %d", status)
	}
}

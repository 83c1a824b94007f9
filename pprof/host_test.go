package pprof

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// status asks with a Host and returns the status of the answer.
func (f *fixture) status(host, path string) int {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.base+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	request.Host = host
	response, err := f.client.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		f.t.Fatal(err)
	}
	return response.StatusCode
}

// A page of another site that has its name stand for 127.0.0.1 (DNS rebinding) gets nothing: its requests have that name.
func TestHostsOnLoopback(t *testing.T) {
	t.Parallel()
	o := options()
	o.Hosts = []string{"Hub.Internal"}
	f := start(t, o)
	_, port, err := net.SplitHostPort(f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"127.0.0.1:" + port:                200,
		"127.0.0.1":                        200,
		"localhost:" + port:                200,
		"LOCALHOST":                        200,
		"localhost.:" + port:               200,
		"[::1]:" + port:                    200,
		"[::1]":                            200,
		"192.0.2.7:8080":                   200, // a forwarded port
		"hub.internal:" + port:             200,
		"evil.example":                     421,
		"evil.example:" + port:             421,
		"localhost.evil.example":           421,
		"127.0.0.1.evil.example:" + port:   421,
		"hub.internal.evil.example":        421,
		"127-0-0-1.rebind.example:" + port: 421,
	} {
		for _, path := range []string{"/metrics", "/", "/debug/pprof/heap", "/nowhere"} {
			wanted := want
			if path == "/nowhere" && want == 200 {
				wanted = 404
			}
			if got := f.status(host, path); got != wanted {
				t.Errorf("%s of host %s: %d, want %d", path, host, got, wanted)
			}
		}
	}
}

// An address that others reach has names that only they know.
func TestHostsElsewhere(t *testing.T) {
	t.Parallel()
	o := options()
	o.Listen = ":0"
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.hosts.guard(&net.TCPAddr{IP: net.IPv6unspecified})
	if !s.hosts.has("hub.monitoring.svc:3001") {
		t.Error("a server that listens on every interface refuses a name")
	}
	s.hosts.guard(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if s.hosts.has("hub.monitoring.svc:3001") {
		t.Error("a server on loopback takes a name")
	}
}

// An answer is the document that it returns, with its status; the page of addresses says what there is.
func TestAnswers(t *testing.T) {
	t.Parallel()
	o := options()
	o.Answers = map[string]Answer{
		"/echo": {About: "what was asked", JSON: func(args url.Values) (int, any) { return http.StatusTeapot, args }},
		"/bad":  {About: "nothing", JSON: func(url.Values) (int, any) { return http.StatusOK, func() {} }},
	}
	f := start(t, o)
	status, header, body := f.do(http.MethodGet, "/echo?a=1&a=%26&b=", "")
	var got url.Values
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusTeapot || header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v: %v in %s", status, header, err, body)
	}
	if got.Encode() != "a=1&a=%26&b=" {
		t.Errorf("asked %v", got)
	}
	if status, _, _ := f.do(http.MethodGet, "/bad", ""); status != http.StatusInternalServerError {
		t.Errorf("what cannot be written is answered %d", status)
	}
	if _, _, page := f.do(http.MethodGet, "/debug/pprof/", ""); !strings.Contains(page, "what was asked") {
		t.Error("the page does not say what there is")
	}
}

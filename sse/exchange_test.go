package sse

import (
	"net/http"
	"testing"

	"github.com/valyala/fasthttp"
)

// A request over HTTP/2 is one that every server reads alike: one host, and a path (RFC 9113, section 8.3.1).
func TestHTTP2RequestsAreUnambiguous(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		host, uri string
		header    http.Header
		want      bool
	}{
		"plain":                 {"hub.example", "/.well-known/mercure?topic=a", nil, true},
		"options of the server": {"hub.example", "*", nil, true},
		"the same host twice":   {"hub.example", "/", http.Header{"Host": {"HUB.example"}}, true},
		"another host":          {"hub.example", "/", http.Header{"Host": {"other.example"}}, false},
		"two other hosts":       {"hub.example", "/", http.Header{"Host": {"hub.example", "other.example"}}, false},
		"no host":               {"", "/", nil, false},
		"a URL as path":         {"hub.example", "http://other.example/", nil, false},
		"no path":               {"hub.example", "", nil, false},
	} {
		ctx := new(fasthttp.RequestCtx)
		r := &http.Request{Method: http.MethodGet, Host: test.host, RequestURI: test.uri, Header: test.header}
		if got := translate(ctx, r); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
		if test.want && string(ctx.Host()) != test.host {
			t.Errorf("%s: host is %q", name, ctx.Host())
		}
	}
}

// Fields come across as they are, each as often as it was sent; what frames a body does not.
func TestHTTP2FieldsAreTranslated(t *testing.T) {
	t.Parallel()
	ctx := new(fasthttp.RequestCtx)
	r := &http.Request{Method: "QUERY", Host: "hub.example", RequestURI: "/a%2Fb?topic=x", Header: http.Header{
		"Authorization": {"one", "two"}, "Content-Type": {form}, "Cookie": {"a=1; b=2"}, "Last-Event-Id": {"urn:x"},
		"Content-Length": {"7"}, "Te": {"trailers"}, "Trailer": {"X"},
	}}
	if !translate(ctx, r) {
		t.Fatal("refused")
	}
	h := &ctx.Request.Header
	if n := len(h.PeekAll(fasthttp.HeaderAuthorization)); n != 2 {
		t.Errorf("%d tokens, want 2", n)
	}
	for name, want := range map[string]string{
		"Content-Type": form, "Last-Event-ID": "urn:x", "Te": "", "Trailer": "",
	} {
		if got := string(h.Peek(name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if string(h.Cookie("b")) != "2" || string(ctx.Method()) != "QUERY" || string(ctx.URI().PathOriginal()) != "/a%2Fb" || h.ContentLength() > 0 {
		t.Errorf("request is %s", h)
	}
}

// The head of a stream over HTTP/2 has the fields of the one over HTTP/1.1, but for what speaks of the connection.
func TestHTTP2StreamHead(t *testing.T) {
	t.Parallel()
	w := &recorder{header: http.Header{}}
	e := &exchange{writer: w}
	rest := e.begin([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\nVary: Origin\r\nLast-Event-ID: urn:a: b\r\n\r\n:\nevent: x\r\n\r\n"))
	if string(rest) != ":\nevent: x\r\n\r\n" {
		t.Errorf("what follows is %q", rest)
	}
	if h := w.header; len(h) != 3 || h.Get("Content-Type") != "text/event-stream" || h.Get("Vary") != "Origin" || h.Get("Last-Event-ID") != "urn:a: b" {
		t.Errorf("fields are %v", h)
	}
}

type recorder struct{ header http.Header }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }
func (r *recorder) WriteHeader(int)             {}

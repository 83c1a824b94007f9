package sse

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// exchange is a request over HTTP/2 and its answer. To the handlers, which are fasthttp's, it is the connection of their
// request: there they look for what a request leaves behind. It cannot be read or written.
type exchange struct {
	peer   *peer
	writer http.ResponseWriter
	// stream is what the request has become.
	stream *multiplexed
}

var errExchange = errors.New("a request over HTTP/2 has no connection of its own")

func (e *exchange) carrier() *conn { return e.peer.conn }

func (e *exchange) Read([]byte) (int, error)         { return 0, errExchange }
func (e *exchange) Write([]byte) (int, error)        { return 0, errExchange }
func (e *exchange) Close() error                     { return nil }
func (e *exchange) LocalAddr() net.Addr              { return e.peer.conn.LocalAddr() }
func (e *exchange) RemoteAddr() net.Addr             { return e.peer.conn.RemoteAddr() }
func (e *exchange) SetDeadline(time.Time) error      { return nil }
func (e *exchange) SetReadDeadline(time.Time) error  { return nil }
func (e *exchange) SetWriteDeadline(time.Time) error { return nil }

// read makes fasthttp's request of the standard library's and has it answered. release gives back what the body took.
func (h *http2Server) read(e *exchange, r *http.Request) (ctx *fasthttp.RequestCtx, release func()) {
	ctx = new(fasthttp.RequestCtx)
	ctx.Init2(e, discard{}, true)
	if !translate(ctx, r) {
		fail(ctx, fasthttp.StatusBadRequest, "request is not well-formed HTTP")
		return ctx, func() {}
	}
	release, err := h.body(ctx, e.peer, r)
	switch {
	case errors.Is(err, errBusy):
		unavailable(ctx, err)
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		refuse(ctx, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		fail(ctx, fasthttp.StatusRequestTimeout, "request took too long to arrive")
	case err != nil:
		drop(ctx) // the client is gone, or has broken the protocol
	default:
		h.server.serve(ctx)
	}
	return ctx, release
}

// translate copies the head of a request and reports whether it names one host and a path. Fields that belong to a
// connection cannot come over HTTP/2 (RFC 9113, section 8.2.2), and what frames the body is HTTP/2's.
func translate(ctx *fasthttp.RequestCtx, r *http.Request) bool {
	// A second opinion on the host (RFC 9113, section 8.3.1), or in the path, is one that some proxy may share.
	for _, host := range r.Header["Host"] {
		if !strings.EqualFold(host, r.Host) {
			return false
		}
	}
	if r.Host == "" || r.RequestURI == "" || r.RequestURI[0] != '/' && r.RequestURI != "*" {
		return false
	}
	h := &ctx.Request.Header
	h.SetMethod(r.Method)
	h.SetRequestURI(r.RequestURI)
	h.SetHost(r.Host)
	for name, values := range r.Header {
		switch name {
		case "Host", "Content-Length", "Te", "Trailer", ":protocol":
			continue
		}
		for _, value := range values {
			h.Add(name, value)
		}
	}
	return true
}

// errBusy refuses a large body beside many others.
var errBusy = errors.New("too many large bodies are on their way over this connection; try again")

// body reads the body, no more of it than the hub accepts.
func (h *http2Server) body(ctx *fasthttp.RequestCtx, p *peer, r *http.Request) (release func(), err error) {
	release = func() {}
	limit := int64(h.server.o.MaxBody)
	switch {
	case r.ContentLength == 0:
		return release, nil
	case r.ContentLength > limit:
		return release, fasthttp.ErrBodyTooLarge
	case r.ContentLength < 0 || r.ContentLength > smallBody:
		// To let it wait would take the window from those that are being read.
		select {
		case p.large <- struct{}{}:
			release = func() { <-p.large }
		default:
			return release, errBusy
		}
	}
	var body bytes.Buffer
	body.Grow(int(min(max(r.ContentLength, 0), smallBody)) + bytes.MinRead)
	n, err := body.ReadFrom(io.LimitReader(r.Body, limit+1))
	if err == nil && n > limit {
		err = fasthttp.ErrBodyTooLarge
	}
	if err == nil {
		ctx.Request.SetBodyRaw(body.Bytes())
	}
	return release, err
}

// reply sends the answer. "Connection: close", which never leaves the hub here, asks the client to go to another
// connection.
func (e *exchange) reply(ctx *fasthttp.RequestCtx) {
	status, body := ctx.Response.StatusCode(), ctx.Response.Body()
	if len(body) == 0 {
		ctx.Response.Header.SetNoDefaultContentType(true)
	}
	h := e.writer.Header()
	h.Set(fasthttp.HeaderServer, serverName)
	for name, value := range ctx.Response.Header.All() {
		h.Add(string(name), string(value))
	}
	empty := status == fasthttp.StatusNoContent || status == fasthttp.StatusNotModified
	if !empty {
		h.Set(fasthttp.HeaderContentLength, strconv.Itoa(len(body)))
	}
	e.writer.WriteHeader(status)
	if !empty && !ctx.IsHead() {
		_, _ = e.writer.Write(body) // nobody is left to be told
	}
}

// begin sets the fields of a stream's head and returns what follows it. The head is as HTTP/1.1 has it; the field that
// speaks of the connection is left out.
func (e *exchange) begin(prelude []byte) []byte {
	head, rest, _ := bytes.Cut(prelude, []byte("\r\n\r\n"))
	_, fields, _ := bytes.Cut(head, []byte("\r\n"))
	h := e.writer.Header()
	for line := range bytes.SplitSeq(fields, []byte("\r\n")) {
		name, value, _ := strings.Cut(string(line), ": ")
		if name != fasthttp.HeaderConnection {
			h.Add(name, value)
		}
	}
	return rest
}

package sse

import (
	"errors"
	"os"
	"strings"

	"github.com/valyala/fasthttp"
)

const plain = "text/plain; charset=utf-8"

// fail answers with a status and one line that says which part of the request is wrong and why.
func fail(ctx *fasthttp.RequestCtx, status int, line string) {
	ctx.Response.ResetBody()
	ctx.SetStatusCode(status)
	ctx.SetContentType(plain)
	ctx.SetBodyString(line + "\n")
}

// unavailable answers that the request may succeed later.
func unavailable(ctx *fasthttp.RequestCtx, why error) {
	ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "1")
	fail(ctx, fasthttp.StatusServiceUnavailable, why.Error())
}

// tooMany answers that there are as many connections as the hub takes.
func tooMany(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "5")
	fail(ctx, fasthttp.StatusTooManyRequests, "too many connections")
}

// cutShort notes that a request is answered of which more may come; its connection ends with the answer.
func cutShort(ctx *fasthttp.RequestCtx) {
	if c := publishing(ctx); c != nil {
		c.unread = true
	}
}

// challenge answers 401 or 403 with what the client lacks (RFC 6750, section 3, and "Error Responses").
// code is empty when no token was presented.
func (s *Server) challenge(ctx *fasthttp.RequestCtx, status int, code, line string) {
	value := `Bearer resource_metadata="` + metadataURL(s.hubURL(ctx)) + `"`
	if code != "" {
		value += `, error="` + code + `"`
	}
	ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, value)
	fail(ctx, status, line)
}

// refuse answers a request that could not be read.
func refuse(ctx *fasthttp.RequestCtx, err error) {
	if timedOut(err) {
		fail(ctx, fasthttp.StatusRequestTimeout, "request took too long to arrive")
		return
	}
	cutShort(ctx)
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		fail(ctx, fasthttp.StatusRequestEntityTooLarge, "body is larger than the hub accepts")
	case errors.As(err, &small):
		fail(ctx, fasthttp.StatusRequestHeaderFieldsTooLarge, "request line and headers are larger than the hub accepts")
	default:
		fail(ctx, fasthttp.StatusBadRequest, "request is not well-formed HTTP")
	}
}

// timedOut reports whether a request did not come in time. The text of most errors quotes the client; that of a broken chunk
// quotes one byte at most, and hides its cause.
func timedOut(err error) bool {
	var broken fasthttp.ErrBrokenChunk
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &broken) && strings.Contains(broken.Error(), "timeout")
}

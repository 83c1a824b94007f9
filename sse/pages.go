package sse

import (
	"strings"

	"github.com/valyala/fasthttp"
)

// consolePath is where the console's pages are. It is no topic of the subscription API, which begins with
// subscriptionsPath.
const consolePath = Path + "/console"

// Pages are static pages for people, which a browser shows.
type Pages struct {
	// File returns a file by its name relative to the console's address, "" for the page there.
	File func(name string) (body []byte, contentType string, ok bool)
	// Policy is the Content-Security-Policy that the files are sent with.
	Policy string
}

// page answers a request for a page of the console and reports whether it was one. The pages are sent to everyone, with
// neither token nor cookie: they hold nothing that is secret, and what they do takes a token.
func (s *Server) page(ctx *fasthttp.RequestCtx) bool {
	rest, found := strings.CutPrefix(string(ctx.Path()), consolePath)
	if !found || s.o.Console == nil || rest != "" && rest[0] != '/' {
		return false
	}
	h := &ctx.Response.Header
	if !ctx.IsGet() && !ctx.IsHead() {
		h.Set(fasthttp.HeaderAllow, "GET, HEAD")
		fail(ctx, fasthttp.StatusMethodNotAllowed, "the console is read with GET")
		return true
	}
	if rest == "" {
		// Relative, so that it holds behind a proxy that serves the hub below another path.
		h.Set(fasthttp.HeaderLocation, "console/")
		ctx.SetStatusCode(fasthttp.StatusPermanentRedirect)
		return true
	}
	body, contentType, ok := s.o.Console.File(rest[1:])
	if !ok {
		fail(ctx, fasthttp.StatusNotFound, "no such page of the console")
		return true
	}
	h.Set(fasthttp.HeaderContentSecurityPolicy, s.o.Console.Policy)
	h.Set(fasthttp.HeaderReferrerPolicy, "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// A browser that kept a page would show that of an older hub.
	h.Set(fasthttp.HeaderCacheControl, "no-store")
	ctx.SetContentType(contentType)
	ctx.SetBody(body)
	return true
}

package sse

import (
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// origins is a list of trusted origins; any stands for all of them.
type origins struct {
	list []string
	any  bool
}

func newOrigins(list []string) origins {
	return origins{list: list, any: slices.Contains(list, "*")}
}

// has reports whether the origin itself is listed.
func (o *origins) has(origin string) bool {
	return slices.ContainsFunc(o.list, func(listed string) bool { return strings.EqualFold(listed, origin) })
}

// exposed are the response headers that pages of other origins may read.
const exposed = "Mercure-Last-Event-ID, Last-Event-ID, " + SubscriberHeader + ", Link, WWW-Authenticate"

// crossOrigin lets pages of trusted origins read the answer. An origin is answered with credentials
// only if it is listed by name, never because it asked ("Subscription" on CORS).
func (s *Server) crossOrigin(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	if len(s.cors.list) == 0 {
		return
	}
	h.Add(fasthttp.HeaderVary, fasthttp.HeaderOrigin)
	origin := string(ctx.Request.Header.Peek(fasthttp.HeaderOrigin))
	switch {
	case origin == "":
		return
	case s.cors.has(origin):
		h.Set(fasthttp.HeaderAccessControlAllowOrigin, origin)
		h.Set(fasthttp.HeaderAccessControlAllowCredentials, "true")
	case s.cors.any && len(ctx.Request.Header.Peek(fasthttp.HeaderCookie)) == 0: // a cookie is a credential
		h.Set(fasthttp.HeaderAccessControlAllowOrigin, "*")
	default:
		return
	}
	h.Set(fasthttp.HeaderAccessControlExposeHeaders, exposed)
}

// preflight answers what a cross-origin request may be. The origin was dealt with by crossOrigin.
func (s *Server) preflight(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.Set(fasthttp.HeaderAllow, allowed)
	if len(h.Peek(fasthttp.HeaderAccessControlAllowOrigin)) > 0 {
		h.Set(fasthttp.HeaderAccessControlAllowMethods, allowed)
		h.Set(fasthttp.HeaderAccessControlAllowHeaders, "Authorization, Cache-Control, Content-Type, Last-Event-ID")
		h.Set(fasthttp.HeaderAccessControlMaxAge, "86400")
	}
	ctx.SetStatusCode(fasthttp.StatusNoContent)
}

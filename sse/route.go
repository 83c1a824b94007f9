package sse

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// query is the method QUERY: GET with a body (RFC 10008).
const query = "QUERY"

// serve routes a request.
func (s *Server) serve(ctx *fasthttp.RequestCtx) {
	defer func() {
		// A panic must cost one request, not the hub; what was stored stays stored.
		if r := recover(); r != nil {
			s.o.Logger.Error("request failed on a defect", slog.Any("panic", r))
			fail(ctx, fasthttp.StatusInternalServerError, "internal error")
		}
	}()
	ctx.Response.Header.SetCanonical([]byte("X-Content-Type-Options"), []byte("nosniff"))
	if s.hsts != nil && encrypted(ctx) {
		ctx.Response.Header.SetCanonical([]byte(fasthttp.HeaderStrictTransportSecurity), s.hsts)
	}
	if !admit(ctx) {
		return
	}
	if s.stopping.Load() {
		// The next request is made on a connection that the hub's successor accepts.
		ctx.SetConnectionClose()
	}
	if c := connection(ctx); c != nil && c.refused {
		ctx.SetConnectionClose()
		tooMany(ctx)
		return
	}
	if len(s.o.PublicURLs) > 1 && s.hubURL(ctx) == "" && string(ctx.Path()) != healthPath {
		fail(ctx, fasthttp.StatusMisdirectedRequest, "this hub has other names than the request's host (--public-url)")
		return
	}
	switch string(ctx.Path()) {
	case revocationsPath:
		s.revoke(ctx)
	case explainPath:
		s.crossOrigin(ctx)
		s.explain(ctx)
	case topicsPath:
		s.crossOrigin(ctx)
		s.topics(ctx)
	case Path:
		s.crossOrigin(ctx)
		s.mercure(ctx)
	case metadataPrefix + Path, metadataPrefix + s.o.HubPath:
		s.crossOrigin(ctx)
		s.metadata(ctx)
	case healthPath:
		s.health(ctx)
	default:
		if s.page(ctx) {
			return
		}
		// The matcher in a path may hold encoded slashes, so it is read before it is decoded.
		rest, found := strings.CutPrefix(string(ctx.URI().PathOriginal()), subscriptionsPath)
		if !found || !s.o.Subscriptions || rest != "" && rest[0] != '/' {
			fail(ctx, fasthttp.StatusNotFound, "no such page; the hub is at "+Path)
			return
		}
		s.crossOrigin(ctx)
		if ctx.IsOptions() {
			s.preflight(ctx)
			return
		}
		s.subscriptions(ctx, rest)
	}
}

func (s *Server) mercure(ctx *fasthttp.RequestCtx) {
	if coded(ctx) {
		return
	}
	switch string(ctx.Method()) {
	case fasthttp.MethodPost:
		begun := time.Now()
		s.publish(ctx)
		if s.o.Observer != nil {
			s.o.Observer.Publish(ctx.Response.StatusCode(), time.Since(begun))
		}
	case fasthttp.MethodGet, query:
		s.subscribe(ctx)
	case fasthttp.MethodOptions:
		s.preflight(ctx)
	default:
		ctx.Response.Header.Set(fasthttp.HeaderAllow, allowed)
		fail(ctx, fasthttp.StatusMethodNotAllowed, "method is not one of "+allowed)
	}
}

const allowed = "GET, QUERY, POST, OPTIONS"

func (s *Server) health(ctx *fasthttp.RequestCtx) {
	if err := s.unready(); err != nil {
		unavailable(ctx, err)
		return
	}
	ctx.SetContentType(plain)
	ctx.SetBodyString("ok\n")
}

var errStopping = errors.New("hub is stopping")

// unready returns why neither publishes nor streams are taken now, or nil.
func (s *Server) unready() error {
	if s.stopping.Load() {
		return errStopping
	}
	return s.o.Ready()
}

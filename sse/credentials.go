package sse

import (
	"errors"
	"log/slog"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"hubd/auth"
)

// verify finds the request's token and verifies it: the Authorization header, then in 0.x the query
// parameter "authorization", then the cookie. A header that is present decides, even if it is malformed
// ("Presenting the Access Token"; 0.x "Authorization"). Without a token the grant is nil and so is the
// error. ambient says that the browser attached the token by itself, as a cookie. Errors wrap those of
// package auth.
func (s *Server) verify(ctx *fasthttp.RequestCtx, role auth.Role) (g *auth.Grant, ambient bool, err error) {
	remembered := memo(ctx, role)
	headers := ctx.Request.Header.PeekAll(fasthttp.HeaderAuthorization)
	if len(headers) > 1 {
		return nil, false, auth.ErrMalformed
	}
	if len(headers) == 1 {
		g, present, err := s.o.Verifier.VerifyHeader(remembered, role, headers[0], s.audience(ctx))
		if present || err != nil {
			return g, false, err
		}
	}
	if s.o.Protocol.Allows(auth.V0) {
		if token := ctx.QueryArgs().Peek("authorization"); len(token) > 0 {
			g, err = s.o.Verifier.Verify(role, string(token), s.audience(ctx))
			if err == nil && g.Dialect == auth.V1 {
				return nil, false, errInURL
			}
			return g, false, err
		}
	}
	for _, name := range s.o.Cookies {
		if token := ctx.Request.Header.Cookie(name); len(token) > 0 {
			g, err = s.o.Verifier.Verify(role, string(token), s.audience(ctx))
			return g, true, err
		}
	}
	return nil, false, nil
}

// memo returns the memo of the request's connection. A publisher sends many requests over one connection; a
// stream is one request, and its connection keeps nothing of those before.
func memo(ctx *fasthttp.RequestCtx, role auth.Role) *auth.Memo {
	c := publishing(ctx)
	switch {
	case c == nil:
		return nil
	case role != auth.RolePublisher:
		c.publisher = nil
		return nil
	case c.publisher == nil:
		c.publisher = new(publisher)
	}
	return &c.publisher.memo
}

// authorise verifies the request's token for the role. Without a token the grant is nil. When it
// returns false, the request has been answered.
func (s *Server) authorise(ctx *fasthttp.RequestCtx, role auth.Role) (g *auth.Grant, ambient, ok bool) {
	g, ambient, err := s.verify(ctx, role)
	if err == nil {
		return g, ambient, true
	}
	switch {
	case errors.Is(err, auth.ErrMalformed):
		s.challenge(ctx, fasthttp.StatusBadRequest, "invalid_request", "Authorization header is not Bearer and a token")
	case errors.Is(err, auth.ErrKeysUnavailable):
		// The token may well be valid: a client that were told otherwise would throw it away.
		s.o.Logger.Warn("token not verified", slog.Any("error", err))
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, "5")
		fail(ctx, fasthttp.StatusServiceUnavailable, "the keys to verify tokens with cannot be had now; try again")
	default:
		// Why is for the operator; the client is not told.
		s.o.Logger.Debug("token refused", slog.Any("error", err))
		s.challenge(ctx, fasthttp.StatusUnauthorized, "invalid_token", "token is not valid for this hub")
	}
	return nil, false, false
}

var errInURL = errors.New("a 1.0 token came in the query, where 1.0 takes none")

// hubURL returns the hub's URL as the client sees it, or nothing if the request is meant for another host.
func (s *Server) hubURL(ctx *fasthttp.RequestCtx) string {
	switch len(s.o.PublicURLs) {
	case 0:
	case 1:
		return s.o.PublicURLs[0]
	default:
		for _, public := range s.o.PublicURLs {
			if u, err := url.Parse(public); err == nil && strings.EqualFold(u.Host, string(ctx.Host())) {
				return public
			}
		}
		return ""
	}
	scheme := "http"
	if encrypted(ctx) || strings.EqualFold(string(ctx.Request.Header.Peek(fasthttp.HeaderXForwardedProto)), "https") {
		scheme = "https"
	}
	return scheme + "://" + string(ctx.Host()) + Path
}

func (s *Server) audience(ctx *fasthttp.RequestCtx) string {
	if s.o.Audience != "" {
		return s.o.Audience
	}
	return s.hubURL(ctx)
}

// sameSite reports whether a request that carries a cookie was made by a page that may publish: one of the
// hub's own origin or a listed one. A cookie is sent whoever made the browser ask, so a request that does not
// say where it comes from is refused.
func (s *Server) sameSite(ctx *fasthttp.RequestCtx) bool {
	origin := string(ctx.Request.Header.Peek(fasthttp.HeaderOrigin))
	if origin == "" {
		if u, err := url.Parse(string(ctx.Referer())); err == nil && u.Host != "" {
			origin = u.Scheme + "://" + u.Host
		}
	}
	if origin == "" {
		return false
	}
	own, err := url.Parse(s.hubURL(ctx))
	if err == nil && strings.EqualFold(origin, own.Scheme+"://"+own.Host) {
		return true
	}
	return s.publishers.has(origin)
}

package sse

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/valyala/fasthttp"

	"hubd/actors"
	"hubd/auth"
	"hubd/mercure"
)

// errTooMuch is wrapped by an update beyond a limit: 413.
var errTooMuch = errors.New("content too large")

var errNotStored = errors.New("update was not stored: the hub is busy, or its store fails; try again")

// publish answers a POST ("Publication"): 200 with the update's id once it is durable.
func (s *Server) publish(ctx *fasthttp.RequestCtx) {
	grant := s.publisher(ctx, "publishing", s.unready())
	if grant == nil {
		return
	}
	if s.limit(ctx, grant.Bearer) {
		return
	}
	update, err := s.update(ctx)
	switch {
	case errors.Is(err, errTooMuch):
		fail(ctx, fasthttp.StatusRequestEntityTooLarge, err.Error())
		return
	case err != nil:
		fail(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	if !grant.Publish.MatchAll(update.Topics) {
		// A reserved topic is refused as such whatever the token grants ("Publication"). The hub looks for one in
		// what is granted, so that it takes only one look.
		if i := slices.IndexFunc(update.Topics, s.o.Reserved); i >= 0 {
			fail(ctx, fasthttp.StatusBadRequest, fmt.Sprintf("%s: %q", actors.ErrReserved, update.Topics[i]))
			return
		}
		s.challenge(ctx, fasthttp.StatusForbidden, "insufficient_scope", "token does not grant publishing to every topic of the update")
		return
	}
	id, err := s.o.Hub.Publish(update)
	switch {
	case err == nil:
		// The content type is left to fasthttp, whose default is plain too. The token may be in the URL, so nobody may
		// keep the answer (0.x "URI Query Parameter").
		ctx.Response.Header.SetCanonical([]byte(fasthttp.HeaderCacheControl), []byte("private, no-store"))
		ctx.SetBodyString(id)
	case errors.Is(err, actors.ErrReserved):
		fail(ctx, fasthttp.StatusBadRequest, err.Error())
	case errors.Is(err, actors.ErrTooLarge):
		fail(ctx, fasthttp.StatusRequestEntityTooLarge, actors.ErrTooLarge.Error())
	default:
		// Why is for the operator: it may name files.
		s.o.Logger.Debug("update not stored", slog.Any("error", err))
		unavailable(ctx, errNotStored)
	}
}

// publisher returns the grant of a request that acts with a publisher's token, on a hub that is not unready. If there is
// none, the request has been answered; doing is what it wanted.
func (s *Server) publisher(ctx *fasthttp.RequestCtx, doing string, unready error) *auth.Grant {
	if unready != nil {
		unavailable(ctx, unready)
		return nil
	}
	grant, ambient, ok := s.authorise(ctx, auth.RolePublisher)
	switch {
	case !ok:
		return nil
	case grant == nil:
		s.challenge(ctx, fasthttp.StatusUnauthorized, "", doing+" takes a token")
		return nil
	case ambient && !s.sameSite(ctx):
		fail(ctx, fasthttp.StatusForbidden, doing+" with a cookie takes an Origin or Referer that the hub trusts (--publish-origins)")
		return nil
	}
	return grant
}

// update reads the update that the request brings. The body is spent.
func (s *Server) update(ctx *fasthttp.RequestCtx) (*mercure.Update, error) {
	if !isForm(ctx) {
		return nil, fmt.Errorf("content type is not %s", form)
	}
	u := readUpdate(ctx.PostBody())
	if s.o.MaxTopics > 0 && len(u.Topics) > s.o.MaxTopics {
		return nil, fmt.Errorf(`%w: more than %d "topic" fields`, errTooMuch, s.o.MaxTopics)
	}
	for _, topic := range u.Topics {
		if len(topic) > maxTopicBytes {
			return nil, fmt.Errorf(`%w: "topic" has more than %d bytes`, errTooMuch, maxTopicBytes)
		}
	}
	return u, u.Validate()
}

// maxTopicBytes bounds a topic. The URL parser that URL patterns ask for takes time with the square of it.
const maxTopicBytes = 4096

// form is the only media type of updates, of revocations and of a QUERY's body.
const form = "application/x-www-form-urlencoded"

func isForm(ctx *fasthttp.RequestCtx) bool {
	mediaType, _, _ := bytes.Cut(ctx.Request.Header.ContentType(), []byte(";"))
	return bytes.EqualFold(bytes.TrimSpace(mediaType), []byte(form))
}

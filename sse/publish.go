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
	if err := s.unready(); err != nil {
		unavailable(ctx, err)
		return
	}
	grant, c, ok := s.authorise(ctx, auth.RolePublisher)
	if !ok {
		return
	}
	if grant == nil {
		s.challenge(ctx, fasthttp.StatusUnauthorized, "", "publishing takes a token")
		return
	}
	if c.ambient && !s.sameSite(ctx) {
		fail(ctx, fasthttp.StatusForbidden, "publishing with a cookie takes an Origin or Referer that the hub trusts (--publish-origins)")
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
	// Whatever the token grants ("Publication").
	if i := slices.IndexFunc(update.Topics, s.o.Reserved); i >= 0 {
		fail(ctx, fasthttp.StatusBadRequest, fmt.Sprintf("%s: %q", actors.ErrReserved, update.Topics[i]))
		return
	}
	if !grant.Publish.MatchAll(update.Topics) {
		s.challenge(ctx, fasthttp.StatusForbidden, "insufficient_scope", "token does not grant publishing to every topic of the update")
		return
	}
	id, err := s.o.Hub.Publish(update)
	switch {
	case err == nil:
		ctx.SetContentType(plain)
		// The token may be in the URL (0.x "URI Query Parameter").
		ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "private, no-store")
		ctx.SetBodyString(id)
	default:
		// Why is for the operator: it may name files.
		s.o.Logger.Debug("update not stored", slog.Any("error", err))
		unavailable(ctx, errNotStored)
	}
}

// update reads the form. Unknown fields are ignored; of a field that has one value, the first counts.
func (s *Server) update(ctx *fasthttp.RequestCtx) (*mercure.Update, error) {
	if mediaType, _, _ := bytes.Cut(ctx.Request.Header.ContentType(), []byte(";")); !bytes.EqualFold(bytes.TrimSpace(mediaType), []byte(form)) {
		return nil, fmt.Errorf("content type is not %s", form)
	}
	// The case of a media type does not matter (RFC 9110, section 8.3.1), but fasthttp compares it as it is.
	ctx.Request.Header.SetContentType(form)
	u := new(mercure.Update)
	once := func(field *string, seen *bool, value []byte) {
		if !*seen {
			*field, *seen = string(value), true
		}
	}
	var data, id, kind, retry bool
	for key, value := range ctx.PostArgs().All() {
		switch string(key) {
		case "topic":
			u.Topics = append(u.Topics, string(value))
		case "data":
			once(&u.Data, &data, value)
		case "id":
			once(&u.ID, &id, value)
		case "type":
			once(&u.Type, &kind, value)
		case "retry":
			once(&u.Retry, &retry, value)
		case "private":
			u.Private = true
		}
	}
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

// form is the only media type of updates and of a QUERY's body.
const form = "application/x-www-form-urlencoded"

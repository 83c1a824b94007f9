package sse

import (
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/valyala/fasthttp"

	"hubd/actors"
	"hubd/auth"
)

// explainPath answers why a stream did or did not get an update, and topicsPath which topics were published to of late.
const (
	explainPath = Path + "/explain"
	topicsPath  = Path + "/topics"
)

// SubscriberHeader is the header of a stream's response that has the stream's id, the one that subscription events and
// the subscription API call the subscriber.
const SubscriberHeader = "Hubd-Subscriber"

// Explainer tells what the hub knows of streams and updates, and to an asker what his grants allow. actors.Hub is one.
// Errors wrap ErrUnavailable, or mean that there is no answer now.
type Explainer interface {
	// Explain answers what became of an update on a stream.
	Explain(q actors.Question) (*actors.Explanation, error)
	// RecentTopics lists the topics of the newest updates.
	RecentTopics(asker *actors.Asker) (*actors.TopicList, error)
}

// explain answers GET with the parameters "subscriber" and "event", which are ids. It takes a subscriber's token. Whoever
// may not read the stream's subscriptions, or the update, gets what he would get if there were none.
func (s *Server) explain(ctx *fasthttp.RequestCtx) {
	asker := s.asker(ctx)
	if asker == nil {
		return
	}
	q := actors.Question{Event: string(ctx.QueryArgs().Peek("event")), Asker: asker}
	var err error
	if q.Stream, err = actors.ParseStreamID(string(ctx.QueryArgs().Peek("subscriber"))); err != nil {
		fail(ctx, fasthttp.StatusBadRequest, `"subscriber": `+err.Error())
		return
	}
	if q.Event == "" {
		fail(ctx, fasthttp.StatusBadRequest, `"event" is missing: the id of an update`)
		return
	}
	x, err := s.o.Explainer.Explain(q)
	s.explained(ctx, x, err)
}

// topics answers GET with the topics that the token grants.
func (s *Server) topics(ctx *fasthttp.RequestCtx) {
	if asker := s.asker(ctx); asker != nil {
		list, err := s.o.Explainer.RecentTopics(asker)
		s.explained(ctx, list, err)
	}
}

// asker returns who asks by GET with a subscriber's token. If it is nil, the request has been answered.
func (s *Server) asker(ctx *fasthttp.RequestCtx) *actors.Asker {
	switch {
	case ctx.IsOptions():
		s.preflight(ctx)
		return nil
	case s.o.Explainer == nil:
		fail(ctx, fasthttp.StatusNotFound, "this hub explains nothing")
		return nil
	case !ctx.IsGet() && !ctx.IsHead():
		ctx.Response.Header.Set(fasthttp.HeaderAllow, "GET, HEAD, OPTIONS")
		fail(ctx, fasthttp.StatusMethodNotAllowed, "this is read with GET")
		return nil
	}
	if err := s.unready(); err != nil {
		unavailable(ctx, err)
		return nil
	}
	grant, _, ok := s.authorise(ctx, auth.RoleSubscriber)
	if !ok {
		return nil
	}
	if grant == nil {
		s.challenge(ctx, fasthttp.StatusUnauthorized, "", "this takes a token")
		return nil
	}
	return &actors.Asker{Grants: grant.Subscribe}
}

func (s *Server) explained(ctx *fasthttp.RequestCtx, document any, err error) {
	if err != nil {
		if !errors.Is(err, ErrUnavailable) && !errors.Is(err, actors.ErrStopping) {
			s.o.Logger.Error("a question about streams has no answer", slog.Any("error", err))
		}
		unavailable(ctx, errors.New("there is no answer now; try again"))
		return
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic(err) // strings, numbers and times
	}
	ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "private, no-store")
	ctx.SetContentType("application/json")
	ctx.SetBody(text)
}

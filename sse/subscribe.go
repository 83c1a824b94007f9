package sse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"hubd/actors"
	"hubd/auth"
	"hubd/mercure"
)

// subscribe turns a GET or QUERY into a stream ("Subscription").
func (s *Server) subscribe(ctx *fasthttp.RequestCtx) {
	if s.stopping.Load() {
		drop(ctx)
		return
	}
	if err := s.unready(); err != nil {
		unavailable(ctx, err)
		return
	}
	grant, _, ok := s.authorise(ctx, auth.RoleSubscriber)
	if !ok {
		return
	}
	if grant == nil && !s.o.Anonymous {
		s.challenge(ctx, fasthttp.StatusUnauthorized, "", "subscribing takes a token")
		return
	}
	var request request
	if err := s.parameters(ctx, &request); err != nil {
		fail(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	subscription, err := s.o.Hub.Prepare(request.matchers)
	if errors.Is(err, ErrUnavailable) {
		unavailable(ctx, err)
		return
	}
	if err != nil {
		fail(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	subscription.Lifetime = s.o.Lifetime
	if request.lastEventID != "" {
		if subscription.Cursor, err = s.o.Hub.Resolve(request.lastEventID); err != nil {
			s.o.Logger.Error("history cannot be read", "error", err)
			unavailable(ctx, errors.New("history cannot be read now"))
			return
		}
	}
	if grant != nil {
		subscription.Grants, subscription.Expires = grant.Subscribe, grant.Expires
		subscription.Identity = (*actors.Identity)(grant.Identity)
	}
	subscription.ID = actors.StreamID(uuid.New())
	if s.o.Subscriptions {
		subscription.Subscriptions = describe(subscription.ID, subscription.Matchers(), grant)
	}
	subscription.Prelude = s.prelude(ctx, subscription, request.lastEventID)
	s.open(ctx, subscription)
}

// prelude is what a stream begins with: the response's head, and where the client stands if that needs to be said.
func (s *Server) prelude(ctx *fasthttp.RequestCtx, subscription *actors.Subscription, lastEventID string) []byte {
	b := head(ctx, subscription.ID, subscription.Cursor)
	c := subscription.Cursor
	switch {
	case c == nil && s.o.InitialCursor:
		// The newest now, before the stream joins: what comes between is at worst sent again after a resume.
		return append(b, initialCursor(s.o.Hub.LastEventID())...)
	case c != nil && !c.Known && s.o.GapNotice && lastEventID != mercure.Earliest:
		return append(b, gapNotice(lastEventID, c.Oldest)...)
	}
	return b
}

// describe returns what others may know of a stream: its matchers under an identifier that is made
// for it alone ("Subscription Events" recommends a random one).
func describe(id actors.StreamID, matchers []mercure.Matcher, grant *auth.Grant) []mercure.Subscription {
	subscriber := id.String()
	all := make([]mercure.Subscription, len(matchers))
	for i, m := range matchers {
		all[i] = mercure.Subscription{Matcher: m, Subscriber: subscriber}
		if grant != nil {
			all[i].Payload = grant.Payload(m)
		}
	}
	return all
}

// GapType is the event type of the notice that history has a gap.
const GapType = "hubd-gap"

// gapNotice is the first event of a stream whose cursor is not retained: a browser's EventSource
// cannot see the header that says so. It has no id, so the client's cursor stays as it is.
func gapNotice(requested, oldest string) []byte {
	notice := struct {
		Requested string  `json:"requested"`
		Oldest    *string `json:"oldest"`
	}{Requested: requested}
	if oldest != "" {
		notice.Oldest = &oldest
	}
	text, err := json.Marshal(notice)
	if err != nil {
		panic(err) // two strings
	}
	return []byte("event: " + GapType + "\ndata: " + string(text) + "\n\n")
}

// initialCursor gives a stream the id of the newest event before its own first. Without data it is no event; the client
// keeps the id and resumes from it, should the stream end before an event comes (HTML Standard, "dispatch the event").
func initialCursor(newest string) []byte { return []byte("id: " + newest + "\n\n") }

// request is what a subscriber asks for.
type request struct {
	matchers []mercure.Matcher
	// lastEventID is empty for live events only.
	lastEventID string
}

// maxCursorBytes bounds the id that a client saw last, which the notice of a gap repeats. No browser could send a longer
// one: it comes in a header.
const maxCursorBytes = headBytes

// parameters reads the query and, of a QUERY, the body into r, and takes the union of both.
func (s *Server) parameters(ctx *fasthttp.RequestCtx, r *request) error {
	if err := r.read(ctx.QueryArgs(), s.o.Protocol); err != nil {
		return err
	}
	if string(ctx.Method()) == query && len(ctx.PostBody()) > 0 {
		mediaType, _, _ := strings.Cut(string(ctx.Request.Header.ContentType()), ";")
		if !strings.EqualFold(strings.TrimSpace(mediaType), form) {
			return fmt.Errorf("content type of the body is not %s", form)
		}
		args := fasthttp.AcquireArgs()
		defer fasthttp.ReleaseArgs(args)
		args.ParseBytes(ctx.PostBody())
		if err := r.read(args, s.o.Protocol); err != nil {
			return err
		}
	}
	switch {
	case len(r.matchers) == 0:
		return errors.New(`no matcher: give "match", "match_urlpattern" or "topic" at least once`)
	case s.o.MaxMatchers > 0 && len(r.matchers) > s.o.MaxMatchers:
		return fmt.Errorf("more than %d matchers", s.o.MaxMatchers)
	}
	if id := ctx.Request.Header.Peek("Last-Event-ID"); len(id) > 0 {
		r.lastEventID = string(id)
	}
	if len(r.lastEventID) > maxCursorBytes {
		return fmt.Errorf("the id of the last event has more than %d bytes", maxCursorBytes)
	}
	return nil
}

// read adds the parameters of one component. Names that begin with "match" are reserved in 1.0: one
// that is unknown fails instead of being ignored. The query comes first, so its cursor counts.
func (r *request) read(args *fasthttp.Args, protocol auth.Protocol) error {
	v1, v0 := protocol.Allows(auth.V1), protocol.Allows(auth.V0)
	var cursor, classic string
	for key, value := range args.All() {
		switch {
		case v1 && (is(key, "match") || is(key, "match_exact")):
			r.add(mercure.Exact, value)
		case v1 && is(key, "match_urlpattern"):
			r.add(mercure.URLPattern, value)
		case v0 && is(key, "topic"):
			r.add(mercure.Template, value)
		case v1 && len(key) >= len("match") && bytes.EqualFold(key[:len("match")], []byte("match")):
			return fmt.Errorf("parameter %q is not a matcher type that the hub supports: match, match_exact, match_urlpattern", key)
		case v1 && is(key, "last_event_id") && cursor == "":
			cursor = string(value)
		case v0 && (is(key, "lastEventID") || is(key, "Last-Event-ID") || is(key, "last-event-id")) && classic == "":
			classic = string(value)
		}
	}
	for _, id := range [...]string{cursor, classic} {
		if r.lastEventID == "" {
			r.lastEventID = id
		}
	}
	return nil
}

func is(key []byte, name string) bool { return string(key) == name }

func (r *request) add(kind mercure.MatcherType, pattern []byte) {
	r.matchers = append(r.matchers, mercure.Matcher{Type: kind, Pattern: string(pattern)})
}

// head is the response's head and a first comment, which makes buffering proxies let go of it. The
// body ends with the connection: events go out as they are stored, without framing of each write.
func head(ctx *fasthttp.RequestCtx, id actors.StreamID, cursor *actors.Cursor) []byte {
	b := make([]byte, 0, headRoom)
	b = append(b, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"+
		"Cache-Control: private, no-cache, no-store\r\nX-Accel-Buffering: no\r\nConnection: close\r\n"...)
	for name, value := range ctx.Response.Header.All() {
		switch string(name) {
		case fasthttp.HeaderContentLength, fasthttp.HeaderContentType, fasthttp.HeaderServer, fasthttp.HeaderConnection:
			// of an answer that ends
		default:
			b = append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
		}
	}
	b = id.Append(append(append(b, SubscriberHeader...), ": "...))
	b = append(b, "\r\n"...)
	if cursor != nil {
		for _, name := range [...]string{"Mercure-Last-Event-ID: ", "Last-Event-ID: "} {
			b = append(append(append(b, name...), cursor.ID...), "\r\n"...)
		}
	}
	return append(b, "\r\n:\n"...)
}

// headRoom is what most heads fit into, in bytes: each stream has one until it may show itself.
const headRoom = 320

// open takes the connection from fasthttp and gives it to the hub, in the request's own goroutine: fasthttp would start
// another to call a hijacker, whose stack had to grow. fasthttp leaves a detached connection by itself.
func (s *Server) open(ctx *fasthttp.RequestCtx, subscription *actors.Subscription) {
	var err error
	var c *conn
	switch carrier := ctx.Conn().(type) {
	case *conn:
		c = carrier
		subscription.Conn, err = carrier.detach()
	case *secure:
		c = &carrier.c
		subscription.Conn, err = carrier.detach()
	case *exchange:
		s.multiplex(ctx, carrier, subscription)
		return
	default:
		fail(ctx, fasthttp.StatusInternalServerError, "connection cannot carry a stream")
		return
	}
	if err != nil {
		s.o.Logger.Error("stream not opened", "error", err)
		drop(ctx)
		return
	}
	if err := s.o.Hub.Subscribe(subscription); err != nil {
		// The hub stops. The stream was never watched, so the connection is still this goroutine's.
		_ = c.finish()
	}
}

// multiplex gives a stream over HTTP/2 to the hub. It counts as a connection, as it would over HTTP/1.1: each costs memory.
func (s *Server) multiplex(ctx *fasthttp.RequestCtx, e *exchange, subscription *actors.Subscription) {
	address := e.peer.conn.address
	if !s.connections.enter(address) {
		tooMany(ctx)
		return
	}
	m := newMultiplexed(s, e)
	subscription.Conn, subscription.Prelude = m, e.begin(subscription.Prelude)
	if err := s.o.Hub.Subscribe(subscription); err != nil {
		s.connections.leave(address)
		drop(ctx)
		return
	}
	e.stream = m
}

// drop makes fasthttp close the connection without an answer. Without a response that happens under "Connection: close"
// too.
func drop(ctx *fasthttp.RequestCtx) {
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(net.Conn) {})
}

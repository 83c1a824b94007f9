package sse

import (
	"encoding/json"
	"errors"
	"hash/fnv"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"hubd/auth"
	"hubd/mercure"
)

// subscriptionsPath is where the subscription API begins.
const subscriptionsPath = Path + "/subscriptions"

// filter is what a URL of the subscription API asks for. Its zero value asks for everything.
type filter struct {
	matcher    *mercure.Matcher
	subscriber string
}

var errNoSuchPage = errors.New("no such page of the subscription API")

// readFilter reads what follows subscriptionsPath in the path, still percent-encoded: nothing, a
// matcher, or a matcher and a subscriber ("Subscription API"). 0.x has no matcher type in its paths;
// the token's version tells which is meant.
func readFilter(rest string, dialect auth.Protocol) (f filter, err error) {
	if rest == "" {
		return f, nil
	}
	segments := strings.Split(strings.TrimPrefix(rest, "/"), "/")
	for i := range segments {
		if segments[i], err = url.PathUnescape(segments[i]); err != nil || segments[i] == "" {
			return f, errNoSuchPage
		}
	}
	f.matcher = &mercure.Matcher{Type: mercure.Template}
	if dialect == auth.V1 {
		switch segments[0] {
		case mercure.Exact.String():
			f.matcher.Type = mercure.Exact
		case mercure.URLPattern.String():
			f.matcher.Type = mercure.URLPattern
		default:
			return f, errNoSuchPage
		}
		segments = segments[1:]
	}
	switch len(segments) {
	case 2:
		f.subscriber = segments[1]
		fallthrough
	case 1:
		f.matcher.Pattern = segments[0]
		return f, nil
	}
	return f, errNoSuchPage
}

func (f *filter) has(s *mercure.Subscription) bool {
	return (f.matcher == nil || *f.matcher == s.Matcher) && (f.subscriber == "" || f.subscriber == s.Subscriber)
}

// subscriptions answers the subscription API. rest is the path after subscriptionsPath.
func (s *Server) subscriptions(ctx *fasthttp.RequestCtx, rest string) {
	if !ctx.IsGet() && !ctx.IsHead() {
		ctx.Response.Header.Set(fasthttp.HeaderAllow, "GET, HEAD, OPTIONS")
		fail(ctx, fasthttp.StatusMethodNotAllowed, "the subscription API is read with GET")
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
	if grant == nil {
		s.challenge(ctx, fasthttp.StatusUnauthorized, "", "the subscription API takes a token")
		return
	}
	topic := s.o.HubPath + "/subscriptions" + rest
	if !grant.Subscribe.Match(topic) {
		s.challenge(ctx, fasthttp.StatusForbidden, "insufficient_scope", "token does not grant subscribing to "+strconv.Quote(topic))
		return
	}
	f, err := readFilter(rest, grant.Dialect)
	if err != nil {
		fail(ctx, fasthttp.StatusNotFound, err.Error())
		return
	}
	// The cursor is read first: what changes while the list is made comes after it, twice rather than never.
	lastID := s.o.Hub.LastEventID()
	all, err := s.o.Hub.Subscriptions()
	if err != nil {
		unavailable(ctx, err)
		return
	}
	all = slices.DeleteFunc(all, func(one mercure.Subscription) bool { return !f.has(&one) })
	v0 := grant.Dialect == auth.V0
	if f.subscriber == "" {
		s.answerJSON(ctx, s.collection(ctx, all, topic, lastID, v0), lastID, v0)
		return
	}
	if len(all) == 0 {
		fail(ctx, fasthttp.StatusNotFound, "no such subscription")
		return
	}
	all[0].Active = true
	s.answerJSON(ctx, all[0].Document(s.o.HubPath, true, lastID), lastID, v0)
}

// collection is a list of subscriptions as JSON.
type collection struct {
	Context       string            `json:"@context,omitempty"`
	ID            string            `json:"id"`
	Type          string            `json:"type"`
	LastID        string            `json:"lastEventID,omitempty"`
	Subscriptions []json.RawMessage `json:"subscriptions"`
}

// collection lists the subscriptions in the order of their topics. A client that asks for "limit" gets
// that many, after the one that it names in "after", and a link to the next page.
func (s *Server) collection(ctx *fasthttp.RequestCtx, all []mercure.Subscription, topic, lastID string, v0 bool) json.RawMessage {
	type entry struct {
		topic string
		s     *mercure.Subscription
	}
	entries := make([]entry, len(all))
	for i := range all {
		all[i].Active = true
		entries[i] = entry{all[i].Topic(s.o.HubPath), &all[i]}
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.topic, b.topic) })
	if after := string(ctx.QueryArgs().Peek("after")); after != "" {
		i, found := slices.BinarySearchFunc(entries, after, func(e entry, after string) int { return strings.Compare(e.topic, after) })
		if found {
			i++
		}
		entries = entries[i:]
	}
	if limit := ctx.QueryArgs().GetUintOrZero("limit"); limit > 0 && len(entries) > limit {
		entries = entries[:limit]
		next := url.Values{"limit": {strconv.Itoa(limit)}, "after": {entries[limit-1].topic}}
		ctx.Response.Header.Add(fasthttp.HeaderLink, "<"+topic+"?"+next.Encode()+`>; rel="next"`)
	}
	c := collection{ID: topic, Type: "subscriptions", Subscriptions: make([]json.RawMessage, len(entries))}
	if v0 {
		c.Context, c.Type, c.LastID = mercure.JSONLDContext, "Subscriptions", lastID
	}
	for i, e := range entries {
		c.Subscriptions[i] = e.s.Document(s.o.HubPath, !v0, "")
	}
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // the parts are valid JSON
	}
	return text
}

// answerJSON answers with the document and the cursor that goes with it. The entity tag is made from
// both: the list may change before the event that says so is stored.
func (s *Server) answerJSON(ctx *fasthttp.RequestCtx, text []byte, lastID string, v0 bool) {
	h := &ctx.Response.Header
	link := "<" + s.hubURL(ctx) + `>; rel="mercure"`
	contentType := "application/ld+json"
	if !v0 {
		contentType = "application/json"
		// Publishers choose ids freely, and a quote ends a quoted string (RFC 9110, section 5.6.4).
		link += `; last-event-id="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(lastID) + `"; type="mercure"; content-type="application/json"`
	}
	h.Add(fasthttp.HeaderLink, link)
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(lastID))
	_, _ = sum.Write(text)
	tag := `"` + strconv.FormatUint(sum.Sum64(), 36) + `"`
	h.Set(fasthttp.HeaderETag, tag)
	h.Set(fasthttp.HeaderCacheControl, "private, must-revalidate")
	if match := string(ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch)); match != "" && matchesTag(match, tag) {
		ctx.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	ctx.SetContentType(contentType)
	ctx.SetBody(text)
}

// matchesTag compares If-None-Match with an entity tag, weakly (RFC 9110, section 13.1.2).
func matchesTag(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == tag || candidate == "*" {
			return true
		}
	}
	return false
}

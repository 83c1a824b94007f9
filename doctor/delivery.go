package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// delivery opens a stream, publishes to its topic and waits for the update; then it does so again with the cursor of the
// first. It returns the stream, nil if it is of no use any more.
func (x *examination) delivery(ctx context.Context) *stream {
	s, err := x.subscribe(ctx, "")
	if err != nil {
		x.add("subscribe", Failure, reason(err), "")
		return nil
	}
	begun, silent := x.o.Now(), false
	switch _, err := s.await(ctx, x.o.Patience, isHead); {
	case errors.Is(err, errSilent):
		silent = true
	case err != nil:
		x.add("subscribe", Failure, "no stream: "+reason(err), unreachable(err))
		s.close()
		return nil
	case !x.subscribed(s.response, x.o.Now().Sub(begun)):
		s.close()
		return nil
	}
	if !silent {
		// The hub sends a comment at once, to show that the way is open.
		_, err := s.await(ctx, x.o.Patience, isLine)
		silent = err != nil
	}
	id, ok := x.publish(ctx, "first")
	if !ok {
		if silent {
			x.add("buffering", Failure, fmt.Sprintf("a stream that was opened stayed silent for %s", x.o.Patience), "see whether a proxy buffers answers")
		}
		s.close()
		return nil
	}
	begun = x.o.Now()
	n, err := s.await(ctx, x.o.Patience, hasData("first"))
	if err != nil || silent {
		x.buffered(ctx, s, err)
		s.close()
		return nil
	}
	x.add("delivery", OK, fmt.Sprintf("an update came %s after it was acknowledged, on a stream that stayed open: nothing buffers", max(0, n.at.Sub(begun)).Round(time.Millisecond)), "")
	x.resume(ctx, id)
	return s
}

// subscribe asks for a stream, from a cursor on unless that is empty.
func (x *examination) subscribe(ctx context.Context, cursor string) (*stream, error) {
	req, err := request(ctx, http.MethodGet, x.subscription(), "", []string{
		"Accept", "text/event-stream", "Accept-Encoding", "gzip, br", "Authorization", bearer(x.subscriber), "Last-Event-ID", cursor,
	})
	if err != nil {
		return nil, err
	}
	return x.open(ctx, req), nil
}

// subscribed judges the head of a stream.
func (x *examination) subscribed(res *http.Response, took time.Duration) bool {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch coding := res.Header.Get("Content-Encoding"); {
	case res.StatusCode == http.StatusUnauthorized && x.subscriber == "":
		x.add("subscribe", Skipped, "subscribing takes a token", "give --subscriber-key-file or --subscriber-token; or let the hub serve public updates with --anonymous")
	case res.StatusCode == http.StatusUnauthorized:
		x.add("subscribe", Failure, "the hub refuses the subscriber's token", "is it signed with the hub's key, still valid, and of the version that the hub speaks? 1.0 needs --issuer. The hub's log says why with --log-level=debug; see that the proxy passes Authorization on")
	case res.StatusCode == http.StatusTooManyRequests:
		x.add("subscribe", Failure, "too many connections", "raise --max-connections; behind a proxy all clients have its address, so leave --max-connections-per-ip at 0 there")
	case res.StatusCode != http.StatusOK:
		x.add("subscribe", Failure, fmt.Sprintf("a subscription is answered %d", res.StatusCode), "is this the hub's URL, and does the proxy route it to the hub?")
	case kind != "text/event-stream":
		x.add("subscribe", Failure, fmt.Sprintf("a subscription is answered with the type %q", kind), "something in between answers, or changes the answer")
	case coding != "":
		x.add("subscribe", Failure, "the stream is compressed ("+coding+"), which holds events back or costs memory for each stream", "exclude text/event-stream from the proxy's compression")
	default:
		x.add("subscribe", OK, fmt.Sprintf("a stream was opened in %s", took.Round(time.Millisecond)), "")
		return true
	}
	return false
}

// publish publishes data to the topic and says how that went.
func (x *examination) publish(ctx context.Context, data string) (id string, ok bool) {
	begun := x.o.Now()
	a, err := x.send(ctx, data)
	if err != nil {
		x.add("publish", Failure, "no answer to a publish: "+reason(err), unreachable(err))
		return "", false
	}
	switch {
	case a.StatusCode == http.StatusOK:
		x.add("publish", OK, fmt.Sprintf("an update was stored in %s", x.o.Now().Sub(begun).Round(time.Millisecond)), "")
		return a.body, true
	case a.StatusCode == http.StatusUnauthorized && x.publisher == "":
		x.add("publish", Skipped, "publishing takes a token", "give --publisher-key-file or --publisher-token to try it")
	case a.StatusCode == http.StatusUnauthorized:
		x.add("publish", Failure, "the hub refuses the publisher's token", "is it signed with the hub's publisher key and still valid? 1.0 needs --issuer. The hub's log says why with --log-level=debug; see that the proxy passes Authorization on")
	case a.StatusCode == http.StatusForbidden:
		x.add("publish", Failure, "the publisher's token does not grant "+x.topic, "name a topic that it grants with --topic")
	default:
		x.add("publish", Failure, fmt.Sprintf("a publish is answered %d: %s", a.StatusCode, firstLine(a.body)), "see the hub's log, and that the proxy lets POST through")
	}
	return "", false
}

func (x *examination) send(ctx context.Context, data string) (*answer, error) {
	form := url.Values{"topic": {x.topic}, "data": {data}}
	if x.o.Publisher.Token == "" && x.o.Subscriber.Token == "" && x.subscriber != "" {
		form.Set("private", "on") // both tokens were made for this topic, so nobody else has to see it
	}
	return x.ask(ctx, http.MethodPost, x.o.URL, form.Encode(), "Authorization", bearer(x.publisher))
}

// buffered finds out whether a proxy holds back what a stream was sent: then more of it makes something come.
func (x *examination) buffered(ctx context.Context, s *stream, why error) {
	if why == nil {
		x.add("buffering", Warning, fmt.Sprintf("a stream's first bytes came more than %s late, with the first update", x.o.Patience), advice)
		return
	}
	if !errors.Is(why, errSilent) {
		x.add("delivery", Failure, "the update did not come: "+reason(why), "see the log of the proxy")
		return
	}
	filler := strings.Repeat("x", bufferPiece)
	for sent := bufferPiece; sent <= bufferBytes; sent += bufferPiece {
		if a, err := x.send(ctx, filler); err != nil || a.StatusCode != http.StatusOK {
			break
		}
		if _, err := s.await(ctx, x.o.Patience/10, func(n note) bool { return n.kind != ended }); err == nil {
			x.add("buffering", Failure, fmt.Sprintf("the stream stayed silent until %d KiB waited for it: a proxy holds it back", sent>>10), advice)
			return
		} else if errors.Is(err, io.EOF) {
			break
		}
	}
	x.add("buffering", Failure, fmt.Sprintf("the update was stored and did not come within %s", x.o.Patience), advice+". If it does not buffer, see whether the subscriber's token grants the topic")
}

const advice = "turn the proxy's buffering and compression off for this path: proxy_buffering off in nginx; see docs/proxies.md"

// resume publishes a second update and asks for what came after the first.
func (x *examination) resume(ctx context.Context, first string) {
	a, err := x.send(ctx, "second")
	if err != nil || a.StatusCode != http.StatusOK {
		x.add("resume", Skipped, "the second update was not stored", "")
		return
	}
	s, err := x.subscribe(ctx, first)
	if err != nil {
		x.add("resume", Failure, reason(err), "")
		return
	}
	defer s.close()
	n, err := s.await(ctx, x.o.Patience, func(n note) bool { return hasData("first")(n) || hasData("second")(n) })
	switch {
	case err != nil:
		x.add("resume", Failure, "a stream with Last-Event-ID did not get the update that it missed: "+reason(err), "let the proxy pass Last-Event-ID on; see that --history-max-events and --history-max-age retain what clients may miss")
	case hasData("first")(n):
		x.add("resume", Failure, "a stream with Last-Event-ID got an update that it had", "let the proxy pass Last-Event-ID on; do not cache answers")
	default:
		x.add("resume", OK, "a stream that reconnects gets what it missed", "")
	}
}

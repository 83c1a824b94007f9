package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hubd/actors"
	"hubd/internal/hubtest"
	"hubd/mercure"
	"hubd/sse"
	"hubd/topics"
)

// subscriber returns the id that the stream's response brought.
func subscriber(t *testing.T, s *hubtest.Stream) string {
	t.Helper()
	id := s.Header.Get(sse.SubscriberHeader)
	if _, err := actors.ParseStreamID(id); err != nil {
		t.Fatalf("the stream is called %q: %v", id, err)
	}
	return id
}

// explain asks the admin server, or with a token the public one.
func explain(t *testing.T, p *hubtest.Process, token, stream, event string) *actors.Explanation {
	t.Helper()
	query := "/explain?" + url.Values{"subscriber": {stream}, "event": {event}}.Encode()
	answer := hubtest.Answer{}
	if token == "" {
		answer = hubtest.Do(t, http.MethodGet, p.Admin+query, "")
	} else {
		answer = hubtest.Do(t, http.MethodGet, p.URL+query, "", "Authorization", "Bearer "+token)
	}
	if answer.Status != http.StatusOK || answer.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("explaining is answered %d: %s", answer.Status, answer.Body)
	}
	x := new(actors.Explanation)
	if err := json.Unmarshal([]byte(answer.Body), x); err != nil {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	return x
}

// awaitExplained asks until the answer is this one.
func awaitExplained(t *testing.T, p *hubtest.Process, stream, event string, want actors.Outcome) *actors.Explanation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Patience)
	defer cancel()
	for {
		x := explain(t, p, "", stream, event)
		if x.Outcome == want {
			return x
		}
		select {
		case <-ctx.Done():
			t.Fatalf("explained as %+v, want %s", x, want)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// "Why did this stream not get that update?", each answer for real.
func TestExplain(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--drain=0s", "--history-max-events=5", "--ended-streams=1", "--dispatch-timeout=10m")
	removed := p.PublishData(t, topic, "removed")
	before := p.PublishData(t, topic, "before")
	live := p.Subscribe(t, "match="+enc(topic))
	resumed := p.Subscribe(t, "topic="+enc(topic)+"&lastEventID="+enc(before))
	replayed := p.Subscribe(t, "match="+enc(topic)+"&last_event_id="+mercure.Earliest)
	replayed.Expect(t, "removed", "before")
	secret := p.Publish(t, url.Values{"topic": {topic}, "data": {"secret"}, "private": {"on"}})
	other := p.PublishData(t, "https://example.com/other", "other")
	event := p.PublishData(t, topic, "event")
	last := p.PublishData(t, topic, "last")
	for _, s := range []*hubtest.Stream{live, resumed, replayed} {
		s.Expect(t, "event", "last")
	}
	// The store removes in its own time.
	awaitExplained(t, p, subscriber(t, live), removed, actors.UnknownEvent)
	for _, test := range []struct {
		name          string
		stream, event string
		want          actors.Outcome
		by            string
	}{
		{"a stream that never was", "urn:uuid:" + uuid.NewString(), event, actors.UnknownStream, ""},
		{"an update that never was", subscriber(t, live), "urn:uuid:" + uuid.NewString(), actors.UnknownEvent, ""},
		{"another topic", subscriber(t, live), other, actors.NotSelected, ""},
		{"a private update", subscriber(t, resumed), secret, actors.NotGranted, ""},
		{"older than the stream", subscriber(t, live), before, actors.BeforeCursor, ""},
		{"its cursor", subscriber(t, resumed), before, actors.BeforeCursor, ""},
		{"live", subscriber(t, live), event, actors.Delivered, "live"},
		{"from history", subscriber(t, replayed), before, actors.Delivered, "history"},
	} {
		x := awaitExplained(t, p, test.stream, test.event, test.want)
		if (x.Delivery != nil) != (test.by != "") || x.Delivery != nil && x.Delivery.By != test.by {
			t.Errorf("%s: delivered %+v", test.name, x.Delivery)
		}
		if test.want == actors.NotSelected && (!reflect.DeepEqual(x.Update.Topics, []string{"https://example.com/other"}) || x.About.Matchers[0].Match != topic) {
			t.Errorf("%s: topics %v, matchers %v", test.name, x.Update.Topics, x.About.Matchers)
		}
	}

	// A client that does not read: what it was sent waits.
	slow := openSlow(t, p)
	padding := strings.Repeat("x", 32<<10)
	for range 400 {
		last = p.PublishData(t, topic, padding)
	}
	list := streamsOf(t, p, url.Values{"topic": {topic}})
	waiting := ""
	for _, s := range list.Streams {
		if s.Stream != subscriber(t, live) && s.Stream != subscriber(t, resumed) && s.Stream != subscriber(t, replayed) {
			waiting = s.Stream
		}
	}
	if x := awaitExplained(t, p, waiting, last, actors.Waiting); x.Waiting.Since.IsZero() || x.Waiting.SocketFull.IsZero() {
		t.Errorf("waits %+v", x.Waiting)
	}
	_ = slow.conn.Close()

	// A stream that has ended, and one that ended longer ago than the hub remembers.
	x := awaitExplained(t, p, waiting, last, actors.Ended)
	if x.About.Reason == "" || x.About.Ended.IsZero() {
		t.Errorf("ended %+v", x.About)
	}
	p.AwaitMetric(t, "hubd_ended_streams", "1")
	live.Close()
	awaitExplained(t, p, waiting, last, actors.UnknownStream)
	p.AwaitMetric(t, "hubd_ended_streams", "1")
}

// A token learns of streams and private updates what it grants. Else they look as if they were not there.
func TestExplainDisclosesWhatTheTokenGrants(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--subscriptions", "--drain=0s")
	mine := p.Subscribe(t, "topic="+enc(topic))
	both := p.Subscribe(t, "topic="+enc(topic)+"&topic="+enc("https://example.com/hidden"))
	public := p.PublishData(t, topic, "public")
	secret := p.Publish(t, url.Values{"topic": {topic}, "data": {"secret"}, "private": {"on"}})
	mine.Expect(t, "public")
	id := subscriber(t, mine)
	awaitExplained(t, p, id, public, actors.Delivered)

	// The id is the one of the subscription API.
	own := "/.well-known/mercure/subscriptions/" + url.QueryEscape(topic) + "/" + url.QueryEscape(id)
	reader := hubtest.Token(t, nil, []string{"/.well-known/mercure/subscriptions/{topic}/{subscriber}"})
	if answer := hubtest.Do(t, http.MethodGet, strings.TrimSuffix(p.URL, "/.well-known/mercure")+own, "", "Authorization", "Bearer "+reader); answer.Status != http.StatusOK {
		t.Fatalf("the subscription API has no %s: %d %s", own, answer.Status, answer.Body)
	}
	ownToken := hubtest.Token(t, nil, []string{own})
	nothing := "urn:uuid:" + uuid.NewString()
	for _, test := range []struct {
		name, token, stream, event string
		want                       actors.Outcome
		// likeStream and likeEvent make a question about what is not there, which must have the same answer.
		likeStream, likeEvent string
	}{
		{"the subscription", ownToken, id, public, actors.Delivered, "", ""},
		{"no subscription", hubtest.Token(t, nil, []string{topic}), id, public, actors.UnknownStream, nothing, public},
		{"no subscription, no event", hubtest.Token(t, nil, []string{topic}), id, nothing, actors.UnknownStream, nothing, nothing},
		{"another's subscription", ownToken, subscriber(t, both), public, actors.UnknownStream, nothing, public},
		{"the subscription and a private update", ownToken, id, secret, actors.UnknownEvent, id, nothing},
		{"both granted", hubtest.Token(t, nil, []string{own, topic}), id, secret, actors.NotGranted, "", ""},
		{"all subscriptions", reader, subscriber(t, both), public, actors.Delivered, "", ""},
	} {
		x := explain(t, p, test.token, test.stream, test.event)
		if x.Outcome != test.want {
			t.Errorf("%s: %+v", test.name, x)
		}
		if test.likeStream != "" {
			same := explain(t, p, test.token, test.likeStream, test.likeEvent)
			same.Stream, same.Event = x.Stream, x.Event
			if !reflect.DeepEqual(same, x) {
				t.Errorf("%s: %+v, but %+v where there is nothing", test.name, x, same)
			}
		}
	}
}

func TestExplainRefusals(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--drain=0s", "--cors-origins=https://app.example")
	token := "Bearer " + hubtest.Token(t, nil, []string{"*"})
	good := "/explain?event=a&subscriber=urn:uuid:" + uuid.NewString()
	for _, test := range []struct {
		method, address, authorization string
		status                         int
	}{
		{http.MethodGet, p.URL + good, "", 401},
		{http.MethodGet, p.URL + good, "Bearer nonsense", 401},
		{http.MethodPost, p.URL + good, token, 405},
		{http.MethodGet, p.URL + "/explain?event=a", token, 400},
		{http.MethodGet, p.URL + "/explain?event=a&subscriber=me", token, 400},
		{http.MethodGet, p.URL + strings.Replace(good, "event=a", "event=", 1), token, 400},
		{http.MethodGet, p.URL + good, token, 200},
		{http.MethodOptions, p.URL + good, "", 204},
		{http.MethodGet, p.Admin + good, "", 200},
		{http.MethodGet, p.Admin + "/explain?event=a&subscriber=me", "", 400},
		{http.MethodGet, p.Admin + "/explain?subscriber=urn:uuid:" + uuid.NewString(), "", 400},
		{http.MethodPost, p.Admin + good, "", 405},
		{http.MethodGet, p.Admin + "/streams?limit=1001", "", 400},
		{http.MethodGet, p.Admin + "/streams?limit=-1", "", 400},
		{http.MethodGet, p.Admin + "/streams?after=me", "", 400},
	} {
		headers := []string{"Origin", "https://app.example"}
		if test.authorization != "" {
			headers = append(headers, "Authorization", test.authorization)
		}
		answer := hubtest.Do(t, test.method, test.address, "", headers...)
		if answer.Status != test.status {
			t.Errorf("%s %s: %d %s, want %d", test.method, test.address, answer.Status, answer.Body, test.status)
		}
		if origin := answer.Header.Get("Access-Control-Allow-Origin"); (origin == "https://app.example") != strings.HasPrefix(test.address, p.URL) {
			t.Errorf("%s %s: allowed origin %q", test.method, test.address, origin)
		}
	}
	if exposed := p.Subscribe(t, "topic=a", "Origin", "https://app.example").Header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, sse.SubscriberHeader) {
		t.Errorf("a page of another origin may read %s", exposed)
	}
}

func streamsOf(t *testing.T, p *hubtest.Process, query url.Values) *actors.StreamList {
	t.Helper()
	answer := hubtest.Do(t, http.MethodGet, p.Admin+"/streams?"+query.Encode(), "")
	list := new(actors.StreamList)
	if err := json.Unmarshal([]byte(answer.Body), list); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("%d %v: %s", answer.Status, err, answer.Body)
	}
	return list
}

// The operator finds a stream by its topic, by whom its token names, or page by page, and sees why others ended.
func TestStreamsAreListed(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--drain=0s")
	const streams = 7
	ids := map[string]bool{}
	for n := range streams {
		ids[subscriber(t, p.Subscribe(t, fmt.Sprintf("topic=%s&topic=own-%d", enc(topic), n)))] = true
	}
	gone := p.Subscribe(t, "topic=gone")
	gone.Close()
	p.AwaitMetric(t, "hubd_ended_streams", "1")
	list := streamsOf(t, p, url.Values{"topic": {"own-3"}})
	if list.Open != streams || list.Matching != 1 || len(list.Streams) != 1 || !ids[list.Streams[0].Stream] || list.Streams[0].Matchers[1].Topic != "own-3" {
		t.Errorf("by topic: %+v", list)
	}
	for query := (url.Values{"limit": {"3"}}); ; {
		list := streamsOf(t, p, query)
		for _, s := range list.Streams {
			if !ids[s.Stream] || s.Opened.IsZero() {
				t.Errorf("listed: %+v", s)
			}
			delete(ids, s.Stream)
		}
		if len(list.Ended) != 1 || list.Ended[0].Stream != subscriber(t, gone) || list.Ended[0].Reason != "client" {
			t.Errorf("ended: %+v", list.Ended)
		}
		if list.Next == "" {
			break
		}
		query.Set("after", list.Next)
	}
	if len(ids) > 0 {
		t.Errorf("not listed: %v", ids)
	}
}

// The id and the age of a stream go with it to the next process.
func TestMovingStreamsKeepTheirIDs(t *testing.T) {
	t.Parallel()
	space, err := topics.NewSpace(topics.Options{BaseURL: "https://hub.example/"})
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	want, err := space.NewSet([]mercure.Matcher{{Pattern: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	o := &actors.Subscription{Want: want, ID: actors.StreamID(uuid.New()), Opened: time.Unix(1000, 0).UTC()}
	state, err := packStream(o)
	if err != nil {
		t.Fatal(err)
	}
	moved, err := (&daemon{space: space}).unpackStream(state)
	if err != nil || moved.ID != o.ID || !moved.Opened.Equal(o.Opened) {
		t.Errorf("moved as %+v, %v", moved, err)
	}
	// A hub that is older says it with the subscriptions, if at all.
	older := `{"want":[{"Pattern":"a"}],"subscriptions":[{"Subscriber":"` + o.ID.String() + `"}]}`
	if moved, err = (&daemon{space: space}).unpackStream([]byte(older)); err != nil || moved.ID != o.ID {
		t.Errorf("from an older hub: %+v, %v", moved, err)
	}
}

// Topics are counted with their updates and followers; a token sees those that it grants, and followers if it grants all
// subscriptions.
func TestRecentTopics(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--drain=0s")
	for range 3 {
		p.Subscribe(t, "topic="+enc(topic))
	}
	all := p.Subscribe(t, "match=*")
	for range 2 {
		p.PublishData(t, topic, "x")
	}
	p.Publish(t, url.Values{"topic": {"https://example.com/other", topic}, "data": {"both"}, "private": {"on"}})
	all.Expect(t, "x", "x")
	ask := func(token string) string {
		address, headers := p.Admin+"/topics", []string(nil)
		if token != "" {
			address, headers = p.URL+"/topics", []string{"Authorization", "Bearer " + token}
		}
		answer := hubtest.Do(t, http.MethodGet, address, "", headers...)
		l := new(actors.TopicList)
		if err := json.Unmarshal([]byte(answer.Body), l); err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%d %v: %s", answer.Status, err, answer.Body)
		}
		text := fmt.Sprint(l.Updates, l.Found)
		for _, one := range l.Topics {
			text += fmt.Sprint(" ", one.Topic, one.Updates)
			if one.Streams != nil {
				text += fmt.Sprint("/", *one.Streams)
			}
		}
		return text
	}
	const everything = "3 2 https://example.com/books/13/4 https://example.com/other1/1"
	for name, test := range map[string]struct{ token, want string }{
		"the operator":          {"", everything},
		"everything":            {hubtest.Token(t, nil, []string{"*"}), everything},
		"one topic":             {hubtest.Token(t, nil, []string{topic}), "3 1 https://example.com/books/13"},
		"topic, subscriptions":  {hubtest.Token(t, nil, []string{topic, "/.well-known/mercure/subscriptions"}), "3 1 https://example.com/books/13/4"},
		"a token for something": {hubtest.Token(t, nil, []string{"https://example.com/something"}), "3 0"},
	} {
		if got := ask(test.token); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

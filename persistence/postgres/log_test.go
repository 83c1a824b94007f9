package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// Passwords stand in URLs, and nowhere else.
func TestErrorsHaveNoPassword(t *testing.T) {
	t.Parallel()
	const secret = "s3cr#t/word"
	for _, url := range []string{
		"postgres://hub:s3cr%23t%2Fword@127.0.0.1:1/db?sslmode=disable",
		"postgres://hub:s3cr#t/word@127.0.0.1:1/db",
		"postgres://hub:s3cr%zzt@127.0.0.1/db",
		"postgres://hub:s3cr@127.0.0.1:port/db",
		"postgres://hub@127.0.0.1:1/db?password=s3cr%23t%2Fword&sslmode=nonsense",
		"postgres://hub@127.0.0.1:1/db?password=s3cr%23t%2Fword&sslmode=disable",
		"mysql://hub:s3cr@127.0.0.1/db",
		"postgres://hub:s3cr@127.0.0.1/db?schema=",
	} {
		_, err := Open(t.Context(), Options{URL: url, Timeout: time.Second})
		if err == nil || strings.Contains(err.Error(), "s3cr") || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), Options{URL: "postgres://hub@127.0.0.1:1/db?sslmode=disable"})
	if !errors.Is(err, persistence.ErrUnavailable) || !strings.Contains(err.Error(), "127.0.0.1:1/db") {
		t.Errorf("nobody listens: %v", err)
	}
	_, err = Open(t.Context(), Options{URL: server.URL("nonesuch")})
	if err == nil || errors.Is(err, persistence.ErrUnavailable) {
		t.Errorf("a database that does not exist: %v", err)
	}
	p := newPlaceOn(t, server)
	server.SQL(t, "postgres", "CREATE SCHEMA test_foreign; CREATE TABLE test_foreign.events (id int)")
	if _, err := Open(t.Context(), Options{URL: server.URL("postgres") + "&schema=test_foreign"}); !errors.Is(err, persistence.ErrNotHubStore) {
		t.Errorf("somebody else's schema: %v", err)
	}
	log := p.mustOpen(t, Options{})
	server.SQL(t, "postgres", "INSERT INTO "+log.target.quoted()+".hubd_migrations VALUES (1000)")
	if _, err := Open(t.Context(), Options{URL: p.url}); err == nil || !strings.Contains(err.Error(), "newer hub") {
		t.Errorf("a newer hub's schema: %v", err)
	}
}

// A schema that an administrator has made is filled, and its name may need quotes.
func TestSchemaNames(t *testing.T) {
	t.Parallel()
	server.SQL(t, "postgres", `CREATE SCHEMA "It's ""mine"""`)
	p := &place{url: server.URL("postgres") + "&schema=It%27s+%22mine%22"}
	log, other := p.mustOpen(t, Options{}), p.mustOpen(t, Options{})
	mustAppend(t, log, "one")
	eventually(t, "the event", func() bool { _, head := other.Bounds(); return head == 1 })
}

func TestOptionsValidate(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{}, {URL: "postgres://h/d", Timeout: -1}, {URL: "postgres://h/d", Timeout: 1}, {URL: "postgres://h/d", Connections: -1},
		{URL: "postgres://h/d?schema=pg_mine"}, {URL: "postgres://h/d?schema=" + strings.Repeat("s", schemaMost+1)},
		{URL: "postgres://h/d", Retention: persistence.Retention{MaxAge: -1}}, {URL: "postgres://h/d", Ring: persistence.RingOptions{Slots: 3}},
	} {
		if o.Validate() == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if err := (Options{URL: "postgresql://user:word@one:1,two:2/d?sslmode=verify-full&schema=hubs"}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestCaveats(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		x    settings
		want []string
	}{
		{"the defaults", settings{"on", "on", "on", "", 0}, nil},
		{"nothing is synced", settings{"off", "off", "off", "", 0}, []string{"synchronous_commit", "fsync", "full_page_writes"}},
		{"a standby that lags", settings{"on", "on", "on", "", 1}, []string{"replication"}},
		{"a standby that is not waited for", settings{"local", "on", "on", "*", 1}, []string{"replication"}},
		{"a standby that is waited for", settings{"remote_apply", "on", "on", "*", 1}, nil},
	} {
		got := tc.x.caveats()
		if len(got) != len(tc.want) {
			t.Errorf("%s: %q", tc.name, got)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], tc.want[i]) {
				t.Errorf("%s: %q, want %s", tc.name, got[i], tc.want[i])
			}
		}
	}
	p := newPlaceOn(t, server)
	p.url += "&synchronous_commit=off"
	caveats := strings.Join(p.mustOpen(t, Options{}).Caveats(), "\n")
	if !strings.Contains(caveats, "synchronous_commit is off") || !strings.Contains(caveats, "fsync is off") {
		t.Errorf("caveats of the server of these tests: %q", caveats)
	}
}

// "Publication": data is opaque to the hub. PostgreSQL's text holds no NUL.
func TestDataWithNUL(t *testing.T) {
	t.Parallel()
	p := newPlaceOn(t, server)
	log := p.mustOpen(t, Options{})
	var frames [][]byte
	for _, data := range []string{"plain", "a\x00b\r\nc", "\x00", ""} {
		e := mercure.NewEvent(&mercure.Update{Topics: []string{"t", "u"}, Data: data, Type: "kind", Retry: "007"})
		if _, err := log.Append([]*mercure.Event{e, event(fmt.Sprint("between ", len(frames)))}); err != nil {
			t.Fatal(err)
		}
		frames = append(frames, e.Frame())
	}
	page, err := p.mustOpen(t, Options{}).Read(0, 1<<20)
	if err != nil || len(page) != 2*len(frames) {
		t.Fatalf("%d events, %v", len(page), err)
	}
	for i, frame := range frames {
		if !bytes.Equal(page[2*i].Frame(), frame) {
			t.Errorf("the frame is %q, want %q", page[2*i].Frame(), frame)
		}
	}
}

// The history is there for people with SQL: what is retained, and no more.
func TestHistoryView(t *testing.T) {
	t.Parallel()
	p := newPlaceOn(t, server)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
	log := p.mustOpen(t, Options{Retention: persistence.Retention{MaxEvents: 2}, Now: func() time.Time { return at }})
	mustAppend(t, log, "gone", "kept")
	made := mercure.NewEvent(&mercure.Update{Topics: []string{"a", "b"}, Data: "one\ntwo", Private: true, Type: "kind"})
	if _, err := log.Append([]*mercure.Event{made}); err != nil {
		t.Fatal(err)
	}
	got := server.SQL(t, "postgres", "SET timezone = 'UTC'; SELECT position, time, id, own_id, topics, private, type, retry, replace(data, E'\\n', '/'), nanoseconds FROM "+
		log.target.quoted()+".history ORDER BY position")
	want := "2|2026-01-02 03:04:05.678901+00|kept|t|{https://example.com/t}|f|||data of kept|1767323045678901234\n" +
		"3|2026-01-02 03:04:05.678901+00|" + made.ID() + "|f|{a,b}|t|kind||one/two|1767323045678901234"
	if got != want {
		t.Errorf("the view has\n%s\nwant\n%s", got, want)
	}
}

// A call that has no time left, and one after Close, return in order.
func TestEndedCalls(t *testing.T) {
	t.Parallel()
	log := newPlaceOn(t, server).mustOpen(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := log.Board("b").List(ctx); !errors.Is(err, persistence.ErrUnavailable) {
		t.Errorf("without time: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Board("b").List(t.Context()); !errors.Is(err, persistence.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
	if n := log.dialer.count(); n > 0 {
		t.Errorf("%d connections are open after close", n)
	}
}

// Whatever is published, taking its frame apart and encoding it again gives the same bytes.
func FuzzFields(f *testing.F) {
	f.Add("", "", "", "hello")
	f.Add("id", "event: x", "00", "a\r\nb\rc\n")
	f.Add("", "data: ", "", "\n\ndata: x\nretry: 5\n\x00")
	f.Add("", "", "7", "event: x\n\n")
	f.Fuzz(func(t *testing.T, id, kind, retry, data string) {
		u := mercure.Update{Topics: []string{"t"}, ID: id, Type: kind, Retry: retry, Data: data}
		if u.Validate() != nil {
			t.Skip("not an update")
		}
		e := mercure.NewEvent(&u)
		e.Place(1, time.Unix(0, 0), []byte("urn:uuid:00000000-0000-8000-8000-000000000000"))
		r := row{position: 1, own: e.OwnID, id: e.ID(), topics: e.Topics}
		gotKind, gotRetry, gotData := fields(e)
		r.kind, r.retry, r.data = &gotKind, &gotRetry, &gotData
		got, err := r.event()
		if err != nil || !bytes.Equal(got.Frame(), e.Frame()) || gotKind != kind || gotRetry != retry {
			t.Fatalf("frame %q became %v (%v), type %q, retry %q", e.Frame(), got, err, gotKind, gotRetry)
		}
	})
}

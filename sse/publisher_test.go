package sse

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"hubd/auth"
)

// connected returns a connection that publishes, and its client.
func connected(t *testing.T) (*conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := newAcceptor(l.(*net.TCPListener))
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{publisher: new(publisher)}
	if _, err := a.accept(&c.socket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(client.Close(), c.socket.Close(), a.close()) })
	return c, client
}

// read has the connection read a byte that its client wrote, within the deadline.
func read(t *testing.T, c *conn, client net.Conn, deadline time.Time) error {
	t.Helper()
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	return err
}

func write(t *testing.T, c *conn, deadline time.Time) error {
	t.Helper()
	if err := c.SetWriteDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	_, err := c.Write([]byte("x"))
	return err
}

// A deadline that comes sooner, or later by more than the slack, counts at once; others leave the timers alone.
func TestPublisherDeadlines(t *testing.T) {
	t.Parallel()
	c, client := connected(t)
	past, next := time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	for i, step := range []struct {
		wanted, set time.Time
		fails       bool
	}{
		{next, next, false},
		{next.Add(deadlineSlack - 1), next, false},
		{next.Add(deadlineSlack), next.Add(deadlineSlack), false},
		{next, next, false},
		{past, past, true},
		{past.Add(1), past, true},
		{next, next, false},
		{time.Time{}, time.Time{}, false},
		{past, past, true},
		{time.Time{}, time.Time{}, false},
	} {
		for what, got := range map[string]struct {
			err error
			set time.Time
		}{
			"read":  {read(t, c, client, step.wanted), c.publisher.reading},
			"write": {write(t, c, step.wanted), c.publisher.writing},
		} {
			if !got.set.Equal(step.set) || errors.Is(got.err, os.ErrDeadlineExceeded) != step.fails || (got.err != nil) != step.fails {
				t.Errorf("step %d: %s: %v with the timer at %v, want it at %v, failing: %t", i, what, got.err, got.set, step.set, step.fails)
			}
		}
	}
}

// A read deadline of the connection's first request stays until the next one is set.
func TestPublisherBeginsWithTheDeadlineThatIsSet(t *testing.T) {
	t.Parallel()
	c, _ := connected(t)
	c.publisher = nil
	if err := c.SetReadDeadline(time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	c.publisher = new(publisher)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v, want the deadline to count", err)
	}
}

// verifier remembers, as auth.Verifier does, and accepts everything.
type verifier struct{ memos []*auth.Memo }

func (v *verifier) Verify(auth.Role, string, string) (*auth.Grant, error) { return &auth.Grant{}, nil }

func (v *verifier) VerifyHeader(m *auth.Memo, _ auth.Role, _ []byte, _ string) (*auth.Grant, bool, error) {
	v.memos = append(v.memos, m)
	return &auth.Grant{}, true, nil
}

// The memo of a publisher is that of its connection; a stream's connection keeps no token.
func TestMemoIsOfTheConnection(t *testing.T) {
	t.Parallel()
	v := new(verifier)
	s := &Server{o: Options{Verifier: v, Audience: "https://hub.example"}}
	one, _ := connected(t)
	two, _ := connected(t)
	for _, step := range []struct {
		c    *conn
		role auth.Role
	}{
		{one, auth.RolePublisher}, {two, auth.RolePublisher}, {one, auth.RolePublisher}, {one, auth.RoleSubscriber},
	} {
		ctx := new(fasthttp.RequestCtx)
		ctx.Init2(step.c, discard{}, false)
		ctx.Request.Header.Set(fasthttp.HeaderAuthorization, "Bearer a.b.c")
		if _, _, err := s.verify(ctx, step.role); err != nil {
			t.Fatal(err)
		}
	}
	if v.memos[0] == nil || v.memos[0] == v.memos[1] || v.memos[0] != v.memos[2] || v.memos[3] != nil {
		t.Errorf("memos are %v", v.memos)
	}
	if one.publisher != nil || two.publisher == nil {
		t.Errorf("a connection that subscribes keeps %v, one that publishes %v", one.publisher, two.publisher)
	}
}

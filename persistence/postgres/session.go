package postgres

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// session is one connection, set up. It is used by one goroutine at a time.
type session struct {
	*pgx.Conn
	// pid is the server process behind it, also where a pooler stands in between.
	pid uint32
}

// setUp is what each session begins with. It is sent as statements and not with the start of the session, where poolers
// refuse what they do not know. Every statement of this package is a look-up by an index, also in a table that is
// still empty when its plan is made. Whoever holds the head and is not heard of any more is thrown out.
func setUp(timeout time.Duration) string {
	ms := max(1, timeout.Milliseconds())
	return fmt.Sprintf(`SET statement_timeout = %[1]d; SET lock_timeout = %[1]d; SET idle_in_transaction_session_timeout = %[1]d;
		SET default_transaction_isolation = 'read committed';
		SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; SET jit = off;
		SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
		SELECT pg_backend_pid()`, ms)
}

// connect opens a session.
func connect(ctx context.Context, config *pgx.ConnConfig, timeout time.Duration) (*session, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, classify(fmt.Errorf("connecting: %w", err))
	}
	s := &session{Conn: conn}
	results, err := conn.PgConn().Exec(ctx, setUp(timeout)).ReadAll()
	if err == nil {
		var pid uint64
		if pid, err = strconv.ParseUint(string(results[len(results)-1].Rows[0][0]), 10, 32); err == nil {
			s.pid = uint32(pid)
			return s, nil
		}
	}
	s.end(timeout)
	return nil, classify(fmt.Errorf("setting up a session: %w", err))
}

// end closes the session. A server that does not answer is not waited for.
func (s *session) end(timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), min(timeout, 100*time.Millisecond))
	defer cancel()
	_ = s.Close(ctx) // it is of no more use, whatever comes of it
}

// pool lends sessions to readers and boards.
type pool struct {
	connect func(context.Context) (*session, error)
	end     func(*session)
	slots   chan struct{} // one for each session that is lent

	// mu guards what follows; it is held for work in memory only.
	mu     sync.Mutex
	idle   []*session
	closed bool
}

func newPool(size int, connect func(context.Context) (*session, error), end func(*session)) *pool {
	return &pool{connect: connect, end: end, slots: make(chan struct{}, size)}
}

// do runs fn with a session. Where the connection turns out to be lost, all that lie idle are taken for lost too, and fn
// runs again on a new one if again is set: what it does may be done twice then.
func (p *pool) do(ctx context.Context, again bool, fn func(*session) error) error {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return ended(ctx, nil)
	}
	for {
		s, used, err := p.take(ctx)
		if err != nil {
			return err
		}
		err = fn(s)
		if err == nil || answered(err) && !s.IsClosed() {
			p.put(s)
			return classify(err)
		}
		p.end(s)
		p.drop()
		if !used || !again || ctx.Err() != nil {
			return classify(err)
		}
		again = false
	}
}

// take returns a session, and whether it was used before.
func (p *pool) take(ctx context.Context) (s *session, used bool, err error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		s, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if s != nil {
		return s, true, nil
	}
	s, err = p.connect(ctx)
	return s, false, err
}

func (p *pool) put(s *session) {
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.idle = append(p.idle, s)
	}
	p.mu.Unlock()
	if closed {
		p.end(s)
	}
}

// drop ends the sessions that lie idle.
func (p *pool) drop() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, s := range idle {
		p.end(s)
	}
}

// close ends the sessions, those that are lent when they come back, and waits for it.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.drop()
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
}

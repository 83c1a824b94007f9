package churn

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Phase is where in its life a client leaves.
type Phase int

// The phases. Streams that leave in a write have begun to receive a live event, and those that leave in a replay the
// history; neither reads on.
const (
	BeforeHead Phase = iota
	MidHead
	MidBody
	AfterRequest
	InReplay
	InWrite
	phases
)

func (p Phase) String() string {
	return [...]string{"before the head", "in the head", "in a body", "after the request", "in a replay", "in a write"}[p]
}

// patience is how long a client waits for the hub before it calls that an error.
const patience = 30 * time.Second

// Options describe the crowd.
type Options struct {
	// Hub is the hub's URL; anonymous subscribers must be welcome there.
	Hub string
	// Token lets its bearer publish to Topic.
	Token string
	// Topic is where updates are published, and Size the bytes of their data.
	Topic string
	Size  int
	// Clients are there at once.
	Clients int
}

// Counts are the clients that came and left, by phase.
type Counts [phases]int64

// Total is the number of all clients.
func (c Counts) Total() (n int64) {
	for _, one := range c {
		n += one
	}
	return n
}

func (c Counts) String() string {
	var parts []string
	for p, n := range c {
		parts = append(parts, fmt.Sprintf("%d %s", n, Phase(p)))
	}
	return strings.Join(parts, ", ")
}

// crowd is a run under way.
type crowd struct {
	Options
	address, path string
	next          atomic.Int64
	left          [phases]atomic.Int64
}

// Run lets clients come and leave, in all phases in turn and by a reset every other time round, until there were so many
// or ctx ends, and publishes all the while. A client that cannot connect, or gets no stream, is an error.
func Run(ctx context.Context, o Options, clients int64) (c Counts, err error) {
	u, err := url.Parse(o.Hub)
	if err != nil {
		return c, fmt.Errorf("churning: %w", err)
	}
	w := &crowd{Options: o, address: u.Host, path: u.Path}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failures := make(chan error, o.Clients+1)
	var publishing, leaving sync.WaitGroup
	publishing.Go(func() {
		if err := w.publish(ctx); err != nil && ctx.Err() == nil {
			failures <- err
			cancel()
		}
	})
	for range o.Clients {
		leaving.Go(func() {
			for ctx.Err() == nil {
				n := w.next.Add(1) - 1
				if n >= clients {
					return
				}
				phase := Phase(n % int64(phases))
				if err := w.visit(ctx, n, phase); err != nil {
					if ctx.Err() == nil {
						failures <- fmt.Errorf("a client that leaves %s: %w", phase, err)
						cancel()
					}
					return
				}
				w.left[phase].Add(1)
			}
		})
	}
	leaving.Wait()
	cancel()
	publishing.Wait()
	for p := range c {
		c[p] = w.left[p].Load()
	}
	close(failures)
	for failure := range failures {
		err = errors.Join(err, failure)
	}
	return c, err
}

// visit is the life of one client.
func (w *crowd) visit(ctx context.Context, n int64, phase Phase) error {
	dialer := net.Dialer{Timeout: patience}
	if runtime.GOOS == "linux" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n%250))}
	}
	conn, err := dialer.DialContext(ctx, "tcp4", w.address)
	if err != nil {
		return err
	}
	tcp := conn.(*net.TCPConn)
	if n/int64(phases)%2 == 1 {
		_ = tcp.SetLinger(0)
	}
	defer func() { _ = tcp.Close() }()
	// A run that ends must not wait for an event that nobody publishes any more.
	defer context.AfterFunc(ctx, func() { _ = tcp.SetDeadline(time.Unix(1, 0)) })()
	if err := tcp.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	get := "GET " + w.path + "?topic=" + url.QueryEscape(w.Topic)
	const rest = " HTTP/1.1\r\nHost: hub.example\r\n\r\n"
	switch phase {
	case MidHead:
		_, err = io.WriteString(tcp, get+rest[:len(rest)/2])
	case MidBody:
		_, err = io.WriteString(tcp, w.head(1000)+"topic=")
	case AfterRequest:
		_, err = io.WriteString(tcp, get+rest)
	case InReplay:
		if err := tcp.SetReadBuffer(32 << 10); err != nil {
			return err
		}
		err = w.follow(tcp, get+"&last_event_id=earliest"+rest)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil // what it reads fell out of a short history meanwhile, and the hub ended the stream
		}
	case InWrite:
		err = w.follow(tcp, get+rest)
	}
	return err
}

// follow opens a stream and reads it up to the middle of an event.
func (w *crowd) follow(conn net.Conn, request string) error {
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	in := bufio.NewReaderSize(conn, 512)
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("subscribing: %s", response.Status)
	}
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if strings.HasPrefix(string(line), "data:") {
			return nil
		}
	}
}

// head is the head of a publish with a body of so many bytes.
func (w *crowd) head(length int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: hub.example\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", w.path, w.Token, length)
}

// publish publishes until ctx ends, one update after the other.
func (w *crowd) publish(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp4", w.address)
	if err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	body := url.Values{"topic": {w.Topic}, "data": {strings.Repeat("x", w.Size)}}.Encode()
	update := w.head(len(body)) + body
	in := bufio.NewReader(conn)
	// The crowd comes and goes; publishing without pause would leave it no processor.
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for ctx.Err() == nil {
		if _, err := io.WriteString(conn, update); err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
		_, err = io.Copy(io.Discard, response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("publishing: %s", response.Status)
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
	return nil
}

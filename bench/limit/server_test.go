//go:build linux

package limit

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T, loops int) netip.AddrPort {
	t.Helper()
	s, err := NewServer(netip.MustParseAddrPort("127.0.0.1:0"), loops)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.Addr()
}

func dial(t *testing.T, addr netip.AddrPort) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp4", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, bufio.NewReader(conn)
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("%q, %v, want %q", got, err, want)
	}
}

func TestFramesReachAllStreamsInOneOrder(t *testing.T) {
	t.Parallel()
	for _, loops := range []int{1, 2} {
		t.Run(fmt.Sprint(loops), func(t *testing.T) {
			t.Parallel()
			const streams, publishers, each = 30, 3, 20
			addr := start(t, loops)
			var readers []*bufio.Reader
			for range streams {
				conn, r := dial(t, addr)
				send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				expect(t, r, streamHead)
				readers = append(readers, r)
			}
			done := make(chan error, publishers)
			for p := range publishers {
				conn, r := dial(t, addr)
				go func() {
					for i := range each {
						if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\ndata=%d-%02d", p, i); err != nil {
							done <- err
							return
						}
						if _, err := io.CopyN(io.Discard, r, int64(len(answer))); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
			}
			for range publishers {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			var first []string
			for i, r := range readers {
				var all []string
				for range publishers * each {
					id, _ := r.ReadString('\n')
					data, _ := r.ReadString('\n')
					blank, err := r.ReadString('\n')
					if err != nil || !strings.HasPrefix(id, "id: ") || blank != "\n" {
						t.Fatalf("%q, %q, %q, %v", id, data, blank, err)
					}
					all = append(all, data)
				}
				if i == 0 {
					first = all
				}
				if !slices.Equal(all, first) {
					t.Fatalf("stream %d: %v, stream 0: %v", i, all, first)
				}
			}
		})
	}
}

func TestStreamsMayLeave(t *testing.T) {
	t.Parallel()
	addr := start(t, 1)
	stays, staying := dial(t, addr)
	leaves, leaving := dial(t, addr)
	for _, s := range []struct {
		conn net.Conn
		r    io.Reader
	}{{leaves, leaving}, {stays, staying}} {
		send(t, s.conn, "GET / HTTP/1.1\r\n\r\n")
		expect(t, s.r, streamHead)
	}
	if err := leaves.Close(); err != nil {
		t.Fatal(err)
	}
	publisher, answers := dial(t, addr)
	for i := 1; i <= 3; i++ {
		send(t, publisher, "POST / HTTP/1.1\r\n\r\ndata=x")
		expect(t, answers, answer)
		expect(t, staying, fmt.Sprintf("id: %d\ndata: x\n\n", i))
	}
}

func TestStrangeRequestsAreDropped(t *testing.T) {
	t.Parallel()
	addr := start(t, 1)
	for _, text := range []string{"hello", "POST / HTTP/1.1\r\n\r\nnothing"} {
		conn, r := dial(t, addr)
		send(t, conn, text)
		if b, err := io.ReadAll(r); err != nil || len(b) > 0 {
			t.Errorf("%q was answered with %q, %v", text, b, err)
		}
	}
}

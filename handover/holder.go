package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNotSupported says that this platform cannot hand over.
var ErrNotSupported = errors.New("handover is not supported on this platform")

// ErrNotResumed says that a handover failed and the holder did not get its store back. Serve's error wraps it.
var ErrNotResumed = errors.New("the store could not be taken back")

// maxGreetings bounds the peers that are connected and have not said hello. One more is turned away.
const maxGreetings = 8

// acceptPause is how long accepting pauses after an error, such as too many open files.
const acceptPause = time.Second

// ListenOptions configure a Holder.
type ListenOptions struct {
	// Path is the store's file. The socket is beside it, with ".sock" added to its name.
	Path string
	// Identity is this process, since when it holds the store.
	Identity Identity
	Timeouts Timeouts
	// Logger gets a line for each newcomer. None by default.
	Logger *slog.Logger

	// protocol is replaced by tests.
	protocol versions
}

// Validate checks the options.
func (o ListenOptions) Validate() error {
	if o.Path == "" {
		return errors.New("no path of a store")
	}
	if err := o.Identity.check(); err != nil {
		return err
	}
	_, err := o.Timeouts.withDefaults()
	return err
}

// Holder waits for a newcomer and hands over to it.
type Holder struct {
	o        ListenOptions
	listener *net.UnixListener
	socket   fs.FileInfo

	// busy is taken by a newcomer that is being handed to, or about to be.
	busy atomic.Bool

	// mu is held for a look at the socket's path and its removal.
	mu sync.Mutex
	// released says that the store's lock is not ours, so the socket's path may be a newcomer's.
	released bool
}

// newcomer is one that said hello.
type newcomer struct {
	link  *link
	hello hello
	// protocol is the version that both speak.
	protocol int
}

// Listen makes the socket and replaces one that a process left behind. Call it while holding the store's lock,
// and Close before giving the lock up. Peers wait until Serve is called.
func Listen(o ListenOptions) (*Holder, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	o.Timeouts, _ = o.Timeouts.withDefaults() // Validate has looked
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.protocol == (versions{}) {
		o.protocol = versions{Oldest: oldestVersion, Newest: newestVersion}
	}
	path := socketPath(o.Path)
	listener, err := listenSocket(path)
	if err != nil {
		return nil, fmt.Errorf("listening for a handover on %s: %w", path, err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("listening for a handover: %w", err)
	}
	return &Holder{o: o, listener: listener, socket: info}, nil
}

func socketPath(store string) string { return store + ".sock" }

// Close stops listening; Serve ends the handover under way, if any, and returns. It removes the socket, unless
// the store was handed over: then it is the newcomer's to replace.
func (h *Holder) Close() error {
	err := h.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if err = errors.Join(err, h.removeSocket()); err != nil {
		return fmt.Errorf("closing the handover socket: %w", err)
	}
	return nil
}

func (h *Holder) removeSocket() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	path := socketPath(h.o.Path)
	info, err := os.Lstat(path)
	if err != nil || h.released || !os.SameFile(info, h.socket) {
		return nil // gone already, or not ours
	}
	return os.Remove(path)
}

func (h *Holder) setReleased(yes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.released = yes
}

// Outcome is how Serve ended.
type Outcome struct {
	// HandedOver says that a newcomer has the store. This hub must not open it again, but ends the streams
	// that it still has and exits.
	HandedOver bool
	Streams    Counts
}

// Serve hands over to the first newcomer for which it works and returns. A handover that fails before the
// newcomer has the store is taken back and the next newcomer is awaited.
//
// The error is nil after a complete handover and after Close. If HandedOver is true with an error, the
// newcomer has the store and some streams were not moved. If it is false, the error is ctx's, with the store
// held as before, or wraps ErrNotResumed. An end of ctx interrupts a handover at any point; Close lets
// it go on to its end.
func (h *Holder) Serve(ctx context.Context, giver Giver) (Outcome, error) {
	inner, cancel := context.WithCancel(ctx)
	newcomers := make(chan newcomer, 1) // never full: there is one while busy
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		h.accept(inner, newcomers)
	}()
	outcome, err := h.serve(ctx, giver, newcomers, accepted)
	cancel()
	err = errors.Join(err, h.Close())
	<-accepted
	select {
	case n := <-newcomers: // greeted while Serve was ending
		n.link.close()
	default:
	}
	return outcome, err
}

func (h *Holder) serve(ctx context.Context, giver Giver, newcomers <-chan newcomer, accepted <-chan struct{}) (Outcome, error) {
	for {
		select {
		case <-ctx.Done():
			return Outcome{}, context.Cause(ctx)
		case <-accepted: // closed, which the end of ctx leads to as well
			return Outcome{}, context.Cause(ctx)
		case n := <-newcomers:
			outcome, err := h.handOver(ctx, giver, n)
			h.busy.Store(false)
			switch {
			case outcome.HandedOver, errors.Is(err, ErrNotResumed):
				return outcome, err
			case ctx.Err() != nil:
				return outcome, context.Cause(ctx)
			}
			h.o.Logger.Warn("handover failed, this hub goes on",
				slog.String("newcomer", n.hello.Newcomer.String()), slog.Any("error", err))
		}
	}
}

// accept greets who connects until the listener is closed or ctx ends, and joins the greetings.
func (h *Holder) accept(ctx context.Context, newcomers chan<- newcomer) {
	defer context.AfterFunc(ctx, func() { _ = h.listener.Close() })()
	var greetings sync.WaitGroup
	defer greetings.Wait()
	slots := make(chan struct{}, maxGreetings)
	for {
		conn, err := h.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			h.o.Logger.Error("accepting a newcomer", slog.Any("error", err))
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			_ = conn.Close()
			continue
		}
		greetings.Go(func() {
			defer func() { <-slots }()
			h.greet(ctx, newLink(conn), newcomers)
		})
	}
}

// greet reads a hello and passes the newcomer on, or tells it why not.
func (h *Holder) greet(ctx context.Context, l *link, newcomers chan<- newcomer) {
	n, err := h.admit(ctx, l)
	if err == nil && !h.busy.CompareAndSwap(false, true) {
		err = errors.New("another newcomer is being handed over to")
	}
	if err == nil {
		newcomers <- n
		return
	}
	h.refuse(ctx, l, err)
	if !errors.Is(err, io.EOF) { // somebody only looked whether anyone listens
		h.o.Logger.Warn("newcomer refused", slog.Any("error", err))
	}
}

// admit decides whether the peer may talk to the holder, and how.
func (h *Holder) admit(ctx context.Context, l *link) (newcomer, error) {
	if err := checkPeer(l.conn); err != nil {
		return newcomer{}, err
	}
	f, err := l.expect(ctx, h.o.Timeouts.Answer, kindHello)
	if err != nil {
		return newcomer{}, err
	}
	said, err := decodeHello(f.payload)
	if err != nil {
		return newcomer{}, err
	}
	protocol, ok := h.o.protocol.common(said.Protocol)
	if !ok {
		return newcomer{}, fmt.Errorf("no common protocol version: the newcomer speaks %d to %d, the holder %d to %d",
			said.Protocol.Oldest, said.Protocol.Newest, h.o.protocol.Oldest, h.o.protocol.Newest)
	}
	return newcomer{link: l, hello: said, protocol: protocol}, nil
}

// refuse tells the peer why and hangs up. A peer that is gone need not know.
func (h *Holder) refuse(ctx context.Context, l *link, reason error) {
	_ = l.send(ctx, h.o.Timeouts.Answer, kindRefusal, refusal{Reason: clipped(reason)})
	l.close()
}

// clipped returns a text that fits a control message.
func clipped(reason error) string {
	const most = 4 << 10
	text := reason.Error()
	return text[:min(len(text), most)]
}

package handover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
)

// ErrNoHolder says that nobody listens beside the store: a hub without handover, or one that has crashed.
var ErrNoHolder = errors.New("no hub answers on the handover socket")

// errTurn says that a method of Session was called out of its turn.
var errTurn = errors.New("out of turn")

// AskOptions configure what a newcomer asks for.
type AskOptions struct {
	// Path is the store's file.
	Path string
	// Proposal says who asks and for what.
	Proposal Proposal
	// Timeouts should be the holder's or longer.
	Timeouts Timeouts

	// protocol is replaced by tests.
	protocol versions
}

// Validate checks the options.
func (o AskOptions) Validate() error {
	if o.Path == "" {
		return errors.New("no path of a store")
	}
	if err := o.Proposal.Newcomer.check(); err != nil {
		return err
	}
	_, err := o.Timeouts.withDefaults()
	return err
}

// SharedListener is a listening socket that the holder shares.
type SharedListener struct {
	Address
	// Listener is a *net.TCPListener if the socket is a TCP socket.
	Listener net.Listener
}

// turn is how far a session is:
//
//	asked ──AwaitReleased──> released ──Opened──> opened ──Streams──> ended
//	  └──────── error ──────────┴──── Failed, error ──┴─────────────────┘
type turn uint8

const (
	turnAsked turn = iota
	turnReleased
	turnOpened
	turnEnded
)

// Session is the newcomer's side of one handover. After an error of any method close it and wait for the
// store's lock, unless the store is open already: then go on with it, without more streams.
type Session struct {
	link      *link
	timeouts  Timeouts
	turn      turn
	holder    Identity
	streams   bool
	listeners []SharedListener
}

// Ask asks the holder of the store to hand over and returns when it has agreed. The holder then goes on at
// once, so call AwaitReleased.
//
// The error wraps ErrNoHolder, ErrRefused, ErrProtocol or ErrNotSupported, or is another of the system or
// ctx; whatever it is, the lock can be waited for, and Ask may be tried again.
func Ask(ctx context.Context, o AskOptions) (*Session, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	o.Timeouts, _ = o.Timeouts.withDefaults() // Validate has looked
	if o.protocol == (versions{}) {
		o.protocol = versions{Oldest: oldestVersion, Newest: newestVersion}
	}
	s, err := ask(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("asking for the store %s: %w", o.Path, err)
	}
	return s, nil
}

func ask(ctx context.Context, o AskOptions) (*Session, error) {
	dialling, cancel := context.WithTimeout(ctx, o.Timeouts.Answer)
	conn, err := dialSocket(dialling, socketPath(o.Path))
	cancel()
	if err != nil {
		return nil, err
	}
	s := &Session{link: newLink(conn), timeouts: o.Timeouts}
	if err := checkPeer(conn); err != nil {
		s.Close()
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := s.greet(ctx, o); err != nil {
		s.Close()
		s.closeListeners()
		return nil, err
	}
	return s, nil
}

// greet says hello and takes what the holder answers.
func (s *Session) greet(ctx context.Context, o AskOptions) error {
	sendErr := s.link.send(ctx, s.timeouts.Answer, kindHello, hello{Protocol: o.protocol, Proposal: o.Proposal})
	// A holder that hung up may have left its reason.
	f, err := s.link.expect(ctx, s.timeouts.Answer, kindWelcome)
	if err != nil {
		if sendErr != nil && !errors.Is(err, ErrRefused) {
			return sendErr
		}
		return err
	}
	w, err := decodeWelcome(f.payload, o.protocol)
	if err != nil {
		return err
	}
	s.holder, s.streams = w.Holder, w.Streams
	if w.Listeners == 0 {
		return nil
	}
	return s.receiveListeners(ctx, w.Listeners)
}

// receiveListeners makes listeners of the sockets; those made before an error are in s.listeners.
func (s *Session) receiveListeners(ctx context.Context, count int) error {
	f, err := s.link.expect(ctx, s.timeouts.Answer, kindListeners)
	if err != nil {
		return err
	}
	described, err := decode[listeners](f.payload)
	if err == nil && (len(described.Listeners) != count || len(f.descriptors) != count) {
		err = fmt.Errorf("%w: %d listening sockets described, %d sent, %d announced", ErrProtocol,
			len(described.Listeners), len(f.descriptors), count)
	}
	if err != nil {
		closeAll(f.descriptors)
		return err
	}
	for i, fd := range f.descriptors {
		l, err := adoptListener(fd, described.Listeners[i].Name)
		if err != nil {
			closeAll(f.descriptors[i+1:])
			return err
		}
		s.listeners = append(s.listeners, SharedListener{Address: described.Listeners[i], Listener: l})
	}
	return nil
}

// adoptListener makes a listener of a descriptor, which it closes: net works on a duplicate.
func adoptListener(fd int, name string) (net.Listener, error) {
	file := os.NewFile(uintptr(fd), name)
	l, err := net.FileListener(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("adopting the listening socket %q: %w", name, err)
	}
	return l, nil
}

func (s *Session) closeListeners() {
	for _, l := range s.listeners {
		_ = l.Listener.Close()
	}
}

// Holder returns who the holder is.
func (s *Session) Holder() Identity { return s.holder }

// MovesStreams reports whether the holder agreed to hand its streams over.
func (s *Session) MovesStreams() bool { return s.streams }

// Listeners returns the shared listening sockets, which are the caller's to close. The holder accepts on them
// until the newcomer has opened the store.
func (s *Session) Listeners() []SharedListener { return s.listeners }

// Close ends the session; what the holder has not let go of by then stays with it. It may be called at any
// time and more than once.
func (s *Session) Close() {
	s.turn = turnEnded
	s.link.close()
}

// AwaitReleased waits until the holder has closed the store. Open it then, at once and without waiting
// for its lock longer than a moment, and call Opened or Failed.
func (s *Session) AwaitReleased(ctx context.Context) error {
	if s.turn != turnAsked {
		return fmt.Errorf("waiting for the store: %w", errTurn)
	}
	if _, err := s.link.expect(ctx, s.timeouts.Answer+s.timeouts.Release, kindReleased); err != nil {
		s.Close()
		return err
	}
	s.turn = turnReleased
	return nil
}

// Opened tells the holder that this process has the store. After an error the holder may not know; go on
// with the store, whose lock decides.
func (s *Session) Opened(ctx context.Context) error {
	if s.turn != turnReleased {
		return fmt.Errorf("announcing the open store: %w", errTurn)
	}
	if err := s.link.send(ctx, s.timeouts.Answer, kindOpened, struct{}{}); err != nil {
		s.Close()
		return err
	}
	s.turn = turnOpened
	return nil
}

// Failed tells the holder that the store could not be opened, so that it goes on serving at once, and closes
// the session. The store must not be open.
func (s *Session) Failed(ctx context.Context, reason error) error {
	if s.turn != turnReleased {
		return fmt.Errorf("announcing that the store is not open: %w", errTurn)
	}
	defer s.Close()
	return s.link.send(ctx, s.timeouts.Answer, kindFailed, refusal{Reason: clipped(reason)})
}

// Streams receives the holder's streams and calls take for each, in the order in which they were given. If
// take returns true it has the descriptor, and may write to it at once; if it returns false Streams closes
// it and the holder keeps the stream. A state is valid until take returns. Streams closes the session.
//
// Call it after Opened, also when no streams are to come, because the holder waits for the end. After an
// error the streams taken so far are the caller's all the same, and are what is counted.
func (s *Session) Streams(ctx context.Context, take func(Stream) bool) (Counts, error) {
	var counts Counts
	if s.turn != turnOpened {
		return counts, fmt.Errorf("receiving streams: %w", errTurn)
	}
	defer s.Close()
	var answer []byte
	for {
		f, err := s.link.expect(ctx, s.timeouts.Answer+s.timeouts.Release, kindBatch, kindDone)
		if err != nil {
			return counts, err
		}
		if f.kind == kindDone {
			return s.confirm(ctx, f, counts)
		}
		number, states, err := decodeBatch(f.payload)
		if err == nil && !f.truncated && len(states) != len(f.descriptors) {
			err = fmt.Errorf("%w: a batch of %d streams with %d descriptors", ErrProtocol, len(states), len(f.descriptors))
		}
		if err != nil {
			closeAll(f.descriptors)
			return counts, err
		}
		taken := takeBatch(f, states, take, &counts)
		answer = appendTaken(answer[:0], number, taken)
		if err := s.link.write(ctx, s.timeouts.Answer, kindTaken, answer, nil); err != nil {
			return counts, err
		}
	}
}

// confirm compares the accounts and ends the session. The holder's also knows of streams that it did not offer.
func (s *Session) confirm(ctx context.Context, f frame, own Counts) (Counts, error) {
	done, err := decode[closing](f.payload)
	if err != nil {
		return own, err
	}
	if done.Streams.Taken != own.Taken {
		return own, fmt.Errorf("%w: the holder counts %d streams taken, this process %d", ErrProtocol, done.Streams.Taken, own.Taken)
	}
	return done.Streams, s.link.send(ctx, s.timeouts.Answer, kindConfirmed, struct{}{})
}

// takeBatch offers each stream. Of a batch that lacks descriptors none is taken: it is not known which.
func takeBatch(f frame, states [][]byte, take func(Stream) bool, counts *Counts) []bool {
	taken := make([]bool, len(states))
	if f.truncated {
		closeAll(f.descriptors)
		counts.Refused += len(states)
		return taken
	}
	for i, fd := range f.descriptors {
		if taken[i] = take(Stream{FD: fd, State: states[i]}); taken[i] {
			counts.Taken++
			continue
		}
		counts.Refused++
		closeDescriptor(fd)
	}
	return taken
}

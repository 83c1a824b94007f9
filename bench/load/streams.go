//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"hubd/bench/ledger"
	"hubd/bench/stat"
	"hubd/bench/wire"
	"hubd/internal/descriptors"
)

// ErrTimeout is wrapped when something did not happen in its time.
var ErrTimeout = errors.New("timed out")

const (
	// step is how long the loop sleeps at most, and so how late a tick can be.
	step = 5 * time.Millisecond
	// readBuffer holds what one stream has received at a time; it stays in the second-level cache.
	readBuffer = 256 << 10
	// otherDescriptors is more than the load program has open beside its streams.
	otherDescriptors = 1024
)

// StreamsOptions describe a set of streams.
type StreamsOptions struct {
	// Addrs are where to connect; connections take them in turn, also when they come back.
	Addrs []netip.AddrPort
	Clock Clock
	// Readers check what the streams receive; there is one stream for each.
	Readers []ledger.Reader
	Faults  *ledger.Faults
	// Request appends the whole request of a stream to b; lastID is the cursor, or nil.
	Request func(b []byte, stream int, lastID []byte) []byte
	// Opened is called when a stream's response head has come, before its first event; it may be nil.
	Opened func(stream int, reader *ledger.Reader)
	// Progress receives the number of delivered events.
	Progress *Progress
	// Concurrency bounds the connects under way.
	Concurrency int
	// Reconnect brings streams that the hub ended back with their cursor; otherwise such an end is a fault.
	Reconnect bool
	// Retry brings streams back as browsers do: when the hub told them to, and again as long as nobody listens.
	Retry bool
	// Slow marks streams that read SlowBytes every SlowEvery and no more, from a small socket buffer.
	Slow      func(stream int) bool
	SlowBytes int
	SlowEvery time.Duration
}

// Streams is a set of subscribers, driven by Run. It is for one goroutine.
type Streams struct {
	o    StreamsOptions
	poll *poller
	dial dialer
	all  []stream
	buf  []byte
	req  []byte

	todo     []int // streams to connect
	underway int
	back     []comeback
	slow     []int
	slowAt   int64

	open      int
	delivered int64
	bytes     int64
	reads     int64
	ended     int
	refusals  map[int]int
	told      int
	connects  stat.Histogram
	err       error
}

// NewStreams returns a set in which nothing is connected.
func NewStreams(o StreamsOptions) (*Streams, error) {
	if err := descriptors.Reserve(len(o.Readers) + otherDescriptors); err != nil {
		return nil, err
	}
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	s := &Streams{
		o: o, poll: poll, dial: dialer{addrs: o.Addrs}, all: make([]stream, len(o.Readers)),
		buf: make([]byte, readBuffer), refusals: make(map[int]int),
	}
	for i := range s.all {
		s.all[i].fd = -1
		s.all[i].reader = o.Readers[i]
		if o.Slow != nil && o.Slow(i) {
			s.all[i].slow = true
			s.slow = append(s.slow, i)
		}
	}
	return s, nil
}

// Connect queues streams; Run connects them.
func (s *Streams) Connect(streams ...int) { s.todo = append(s.todo, streams...) }

// ConnectAll queues all streams and runs until they are open.
func (s *Streams) ConnectAll(ctx context.Context, limit time.Duration) error {
	for i := range s.all {
		s.todo = append(s.todo, i)
	}
	err := s.Run(ctx, limit, func() bool { return s.open == len(s.all) })
	if errors.Is(err, ErrTimeout) {
		return fmt.Errorf("connect %d streams, %d are open: %w", len(s.all), s.open, err)
	}
	return err
}

// Open returns how many streams are open.
func (s *Streams) Open() int { return s.open }

// IsOpen reports whether a stream is open.
func (s *Streams) IsOpen(stream int) bool { return s.all[stream].state == streamOpen }

// Delivered returns how many events all streams have received.
func (s *Streams) Delivered() int64 { return s.delivered }

// Reads returns how many times a socket gave something, and how many bytes in all.
func (s *Streams) Reads() (reads, bytes int64) { return s.reads, s.bytes }

// Ended returns how many times the hub ended a stream.
func (s *Streams) Ended() int { return s.ended }

// Refusals returns how many connects were answered with 429 or 503.
func (s *Streams) Refusals() int { return s.refusals[429] + s.refusals[503] }

// Connects returns the time from dialling to the response head, of every stream that opened.
func (s *Streams) Connects() *stat.Histogram { return &s.connects }

// Reader returns the reader of a stream.
func (s *Streams) Reader(stream int) *ledger.Reader { return &s.all[stream].reader }

// Run drives the streams until the condition holds, which is asked after every step of the loop. It
// returns an error that wraps ErrTimeout when that takes longer than the limit, and one that wraps
// ledger.ErrFault as soon as a delivery was wrong: the run has failed, and more load would prove nothing.
func (s *Streams) Run(ctx context.Context, limit time.Duration, until func() bool) error {
	deadline := s.o.Clock.Now() + int64(limit)
	for !until() {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("drive the streams: %w", err)
		}
		if s.o.Clock.Now() > deadline {
			return fmt.Errorf("drive the streams: %w after %s", ErrTimeout, limit)
		}
		if err := s.step(); err != nil {
			return err
		}
		if s.o.Faults.Total > 0 {
			return fmt.Errorf("%w: %s", ledger.ErrFault, s.o.Faults.List[0])
		}
	}
	return nil
}

// RunFor drives the streams for a time.
func (s *Streams) RunFor(ctx context.Context, d time.Duration) error {
	end := s.o.Clock.Now() + int64(d)
	return s.Run(ctx, d+time.Minute, func() bool { return s.o.Clock.Now() >= end })
}

func (s *Streams) step() error {
	now := s.o.Clock.Now()
	for len(s.back) > 0 && s.back[0].at <= now {
		s.todo = append(s.todo, s.back[0].index)
		s.back = s.back[1:]
	}
	for len(s.todo) > 0 && s.underway < s.o.Concurrency {
		if err := s.begin(s.todo[0]); err != nil {
			return err
		}
		s.todo = s.todo[1:]
	}
	ready, err := s.poll.wait(step)
	if err != nil {
		return err
	}
	for i := range ready {
		s.handle(&ready[i])
	}
	if len(s.slow) > 0 && now >= s.slowAt {
		s.slowAt = now + int64(s.o.SlowEvery)
		for _, i := range s.slow {
			if s.all[i].state == streamOpen {
				s.read(i, s.o.SlowBytes, false)
			}
		}
	}
	if s.o.Progress != nil {
		s.o.Progress.delivered.Store(s.delivered)
	}
	return s.err
}

// begin dials for a stream.
func (s *Streams) begin(index int) error {
	st := &s.all[index]
	if st.state != streamIdle {
		return fmt.Errorf("stream %d is asked to connect while it is connected", index)
	}
	s.dial.receiveBuffer = 0
	if st.slow {
		s.dial.receiveBuffer = 4 << 10
	}
	fd, err := s.dial.dial()
	if s.o.Retry && errors.Is(err, unix.ECONNREFUSED) {
		s.later(index)
		return nil
	}
	if err != nil {
		return fmt.Errorf("stream %d: %w", index, err)
	}
	st.generation++
	st.fd, st.state, st.dialedAt = int32(fd), streamConnecting, s.o.Clock.Now()
	st.head, st.chunked = st.head[:0], false
	st.body = wire.Chunked{}
	st.reader.Resume()
	s.underway++
	return s.poll.watch(fd, index, st.generation)
}

// handle takes one report of the poller. A report of a socket that was closed in the same step is void.
func (s *Streams) handle(ev *unix.EpollEvent) {
	i := int(ev.Fd)
	st := &s.all[i]
	if st.fd < 0 || st.generation != ev.Pad {
		return
	}
	if st.state == streamConnecting && ev.Events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		s.ask(i)
		return
	}
	if st.slow && st.state == streamOpen {
		return
	}
	const hangup = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	if ev.Events&(unix.EPOLLIN|hangup) != 0 {
		s.read(i, readBuffer, ev.Events&hangup != 0)
	}
}

// ask sends the request. It fits into an empty socket buffer, so it goes out whole.
func (s *Streams) ask(i int) {
	st := &s.all[i]
	s.req = s.o.Request(s.req[:0], i, st.reader.LastID())
	n, err := unix.Write(int(st.fd), s.req)
	if s.o.Retry && (errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)) {
		s.end(i, err)
		return
	}
	if err != nil || n < len(s.req) {
		s.fatal(i, fmt.Errorf("send %d bytes of request, %d went out: %w", len(s.req), n, err))
		return
	}
	st.state = streamAsking
}

// Disconnect closes streams as a client does that goes away.
func (s *Streams) Disconnect(streams ...int) error {
	for _, i := range streams {
		if err := s.drop(i); err != nil {
			return err
		}
	}
	return nil
}

// DisconnectAll closes all streams.
func (s *Streams) DisconnectAll() error {
	for i := range s.all {
		if err := s.drop(i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Streams) drop(i int) error {
	st := &s.all[i]
	switch st.state {
	case streamIdle:
		return nil
	case streamOpen:
		s.open--
	default:
		s.underway--
	}
	fd := int(st.fd)
	st.fd, st.state = -1, streamIdle
	if err := unix.Close(fd); err != nil {
		return fmt.Errorf("close stream %d: %w", i, err)
	}
	return nil
}

// Hurry changes how slow streams read.
func (s *Streams) Hurry(slowBytes int, every time.Duration) {
	s.o.SlowBytes, s.o.SlowEvery = slowBytes, every
}

// Complete checks that every open stream has received all that its group has, and reports what was wrong
// in the whole run with an error that wraps ledger.ErrFault.
func (s *Streams) Complete() error {
	for i := range s.all {
		if s.all[i].state == streamOpen {
			s.all[i].reader.Complete()
		}
	}
	if s.o.Faults.Total > 0 {
		return fmt.Errorf("%w: %d in all, first %s", ledger.ErrFault, s.o.Faults.Total, s.o.Faults.List[0])
	}
	return nil
}

// Close resets all connections and releases the loop.
func (s *Streams) Close() error {
	var errs []error
	for i := range s.all {
		if st := &s.all[i]; st.fd >= 0 {
			errs = append(errs, abort(int(st.fd)), s.drop(i))
		}
	}
	return errors.Join(append(errs, s.poll.close())...)
}

// fatal ends the run: the load program itself could not go on.
func (s *Streams) fatal(i int, err error) {
	if s.err == nil {
		s.err = fmt.Errorf("stream %d: %w", i, err)
	}
}

//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"hubd/bench/stat"
	"hubd/bench/wire"
)

// ErrPublish is wrapped when a publish was not answered, or not as hoped.
var ErrPublish = errors.New("publish failed")

const (
	// refusedDelay is how long a connection waits after 429 or 503 before it sends the update again.
	refusedDelay = 20 * int64(time.Millisecond)
	// answerLimit is how long answers are waited for when nothing more is sent.
	answerLimit = 60 * time.Second
)

// Plan chooses the lane and group of a connection's next update. A lane belongs to one connection, so
// that its numbers reach the hub in order.
type Plan func(connection int) (group, lane uint32)

// PublishersOptions describe a set of publishers.
type PublishersOptions struct {
	// Addrs are where to publish; connections take them in turn.
	Addrs       []netip.AddrPort
	Clock       Clock
	Connections int
	Template    *wire.Template
	Plan        Plan
	Progress    *Progress
	// Rate is how many updates a second are begun by all connections together; 0 lets each connection
	// send as soon as its last update was answered.
	Rate float64
	// Count ends the run after so many updates; 0 is no bound.
	Count int64
	// Duration ends the run after a time; 0 is no bound.
	Duration time.Duration
	// Gate holds updates back while it reports false; it may be nil.
	Gate func() bool
}

// Publishers is a set of keep-alive connections that publish. Run is called once, by one goroutine; the
// results are read after it has returned.
type Publishers struct {
	o       PublishersOptions
	poll    *poller
	all     []publisher
	idle    []int
	later   []comeback // refused connections, in the order of their time
	buf     []byte
	stopped atomic.Bool

	began   int64
	due     float64
	waiting int
	first   int64
	last    int64
	latency stat.Histogram
	refused int64
	late    stat.Histogram
}

// NewPublishers connects all publishers.
func NewPublishers(o PublishersOptions) (*Publishers, error) {
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	p := &Publishers{o: o, poll: poll, buf: make([]byte, 16<<10), all: make([]publisher, o.Connections)}
	d := dialer{addrs: o.Addrs}
	for i := range p.all {
		p.all[i] = publisher{fd: -1, template: o.Template.Clone()}
	}
	for i := range p.all {
		fd, err := d.dial()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("publisher %d: %w", i, err), p.Close())
		}
		p.all[i].fd = fd
		if err := poll.watch(fd, i, 0); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

// Stop lets Run send nothing more and return when all answers are there. It may be called by anyone.
func (p *Publishers) Stop() { p.stopped.Store(true) }

// Run publishes until the count, the duration, Stop or the context ends it.
func (p *Publishers) Run(ctx context.Context) error {
	p.began = p.o.Clock.Now()
	p.due = float64(p.began)
	var stoppedAt int64
	for {
		now := p.o.Clock.Now()
		over := p.over(ctx, now)
		if over && stoppedAt == 0 {
			stoppedAt = now
		}
		if over && p.waiting == 0 {
			return nil
		}
		if over && now-stoppedAt > int64(answerLimit) {
			return fmt.Errorf("%w: %d updates were not answered in %s", ErrPublish, p.waiting, answerLimit)
		}
		wait := step
		if err := p.sendAgain(now); err != nil {
			return err
		}
		if !over {
			var err error
			if wait, err = p.sendDue(now); err != nil {
				return err
			}
		}
		ready, err := p.poll.wait(wait)
		if err != nil {
			return err
		}
		for i := range ready {
			if err := p.handle(&ready[i]); err != nil {
				return err
			}
		}
	}
}

func (p *Publishers) over(ctx context.Context, now int64) bool {
	return p.stopped.Load() || ctx.Err() != nil ||
		p.o.Count > 0 && p.o.Progress.AllSent() >= p.o.Count ||
		p.o.Duration > 0 && now-p.began >= int64(p.o.Duration)
}

// sendAgain repeats updates that were refused.
func (p *Publishers) sendAgain(now int64) error {
	for len(p.later) > 0 && p.later[0].at <= now {
		i := p.later[0].index
		p.later = p.later[1:]
		if err := p.write(i); err != nil {
			return err
		}
	}
	return nil
}

// sendDue starts what is due on idle connections and returns how long nothing will be.
func (p *Publishers) sendDue(now int64) (time.Duration, error) {
	for len(p.idle) > 0 {
		if p.o.Gate != nil && !p.o.Gate() {
			return time.Millisecond, nil
		}
		if p.o.Rate > 0 {
			if wait := p.due - float64(now); wait > 0 {
				return min(step, time.Duration(wait)+time.Millisecond-1), nil
			}
			p.late.Record(now - int64(p.due))
			p.due += float64(time.Second) / p.o.Rate
		}
		i := p.idle[0]
		p.idle = p.idle[1:]
		if err := p.send(i); err != nil {
			return 0, err
		}
		if p.o.Count > 0 && p.o.Progress.AllSent() >= p.o.Count {
			break
		}
	}
	return step, nil
}

// handle takes one report of the poller.
func (p *Publishers) handle(ev *unix.EpollEvent) error {
	i := int(ev.Fd)
	c := &p.all[i]
	if c.state == publisherConnecting {
		if ev.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			return fmt.Errorf("%w: connection %d could not be opened", ErrPublish, i)
		}
		c.state = publisherIdle
		p.idle = append(p.idle, i)
		return nil
	}
	if ev.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
		return nil
	}
	answered, err := p.receive(i)
	if err != nil || !answered {
		return err
	}
	// In a closed loop the connection goes on at once, without a way through the idle ones.
	if p.o.Rate == 0 && p.o.Gate == nil && !p.over(context.Background(), p.last) {
		return p.send(i)
	}
	p.idle = append(p.idle, i)
	return nil
}

// Latency returns the time from sending to answer of every update.
func (p *Publishers) Latency() *stat.Histogram { return &p.latency }

// Late returns how much later than planned the updates of a fixed rate were begun.
func (p *Publishers) Late() *stat.Histogram { return &p.late }

// Refused returns how many times an update was answered with 429 or 503 and sent again.
func (p *Publishers) Refused() int64 { return p.refused }

// Span returns the times of the first sending and of the last answer.
func (p *Publishers) Span() (first, last int64) { return p.first, p.last }

// Close resets the connections.
func (p *Publishers) Close() error {
	var errs []error
	for i := range p.all {
		if fd := p.all[i].fd; fd >= 0 {
			errs = append(errs, abort(fd), unix.Close(fd))
			p.all[i].fd = -1
		}
	}
	return errors.Join(append(errs, p.poll.close())...)
}

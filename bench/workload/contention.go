//go:build linux

package workload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hubd/bench/contention"
	"hubd/bench/load"
	"hubd/bench/process"
	"hubd/bench/result"
)

const (
	// pathBound is how much of the server's processor time the waits on the path may come to.
	pathBound = 0.001
	// chance is how many waits at one place are taken for chance. A mutex profile tells of tens.
	chance = 50
)

// maxSites is how many places of contention a result names.
const maxSites = 5

// errContention is wrapped when goroutines wait for each other on the path.
var errContention = errors.New("contention on the path from the log to the sockets")

// contended saturates the streams as fanout-sustained does while the hub takes its mutex and block profiles,
// and fails when they show that goroutines wait for each other on the path (invariant I6).
func contended(ctx context.Context, s *session) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	owed := func() int64 { return s.progress.AllAcked() * int64(s.p.Streams) }
	if err := s.warm(ctx, owed); err != nil {
		return err
	}
	p, err := s.publish(ctx, ownLane, func(o *load.PublishersOptions) { o.Duration, o.Count = 0, 0 })
	if err != nil {
		return err
	}
	delivered := s.streams.Delivered()
	before, err := s.usage()
	taking := s.takeProfiles(ctx)
	err = errors.Join(err, s.arrive(ctx, func() bool { return taking.over() || !p.running() }))
	after, usageErr := s.usage()
	delivered = s.streams.Delivered() - delivered
	p.set.Stop()
	if err = errors.Join(err, usageErr); err != nil {
		return errors.Join(err, p.join(), taking.join())
	}
	if err := errors.Join(p.follow(ctx, owed), taking.join()); err != nil {
		return err
	}
	p.note()
	s.r.Set(result.Deliveries, float64(delivered))
	s.per(result.CPUPerDelivery, after.CPU-before.CPU, delivered)
	if err := errors.Join(s.state(ctx), s.complete()); err != nil {
		return err
	}
	return s.judgeContention(taking, delivered, after.CPU-before.CPU)
}

// taking is the hub's profiles while they are taken, each asked for by a goroutine of its own.
type taking struct {
	mutex, block *contention.Profile
	errs         chan error
	left         int
	err          error
	cancel       context.CancelFunc
}

func (s *session) takeProfiles(ctx context.Context) *taking {
	ctx, cancel := context.WithCancel(ctx)
	t := &taking{errs: make(chan error, 2), left: 2, cancel: cancel}
	take := func(name string, into **contention.Profile) {
		data, err := process.ReadProfile(ctx, s.target.Profile(name, max(1, int(s.p.Seconds))))
		if err == nil {
			*into, err = contention.Parse(data)
		}
		if err != nil {
			err = fmt.Errorf("the hub's %s profile: %w", name, err)
		}
		t.errs <- err
	}
	go take("mutex", &t.mutex)
	go take("block", &t.block)
	return t
}

// over reports whether both profiles are there, or have failed.
func (t *taking) over() bool {
	for t.left > 0 {
		select {
		case err := <-t.errs:
			t.err = errors.Join(t.err, err)
			t.left--
		default:
			return false
		}
	}
	return true
}

// join ends what is still asked for and joins the goroutines.
func (t *taking) join() error {
	t.cancel()
	for ; t.left > 0; t.left-- {
		t.err = errors.Join(t.err, <-t.errs)
	}
	return t.err
}

// judgeContention notes what the profiles say of so many deliveries, and fails above the bound.
func (s *session) judgeContention(t *taking, delivered int64, cpu time.Duration) error {
	if t.block.Samples == 0 {
		return fmt.Errorf("the hub's block profile is empty: %w", contention.ErrProfile)
	}
	each := func(name string, d time.Duration) { s.r.Set(name, d.Seconds()/float64(max(delivered, 1))) }
	each(result.PathWaits, t.block.Path)
	each(result.PathHolds, t.mutex.Path)
	each(result.OtherWaits, t.block.Other)
	for _, p := range []struct {
		name    string
		profile *contention.Profile
	}{{"waited", t.block}, {"held", t.mutex}} {
		for i, site := range p.profile.Sites {
			if i < maxSites {
				s.r.Details = append(s.r.Details, fmt.Sprintf("%s %s", p.name, site))
			}
		}
	}
	worst := max(t.block.Regular(chance), t.mutex.Regular(chance))
	if cpu <= 0 { // the load program cannot see what the target uses
		cpu = time.Duration(max(1, int(s.p.Seconds))) * time.Second
	}
	share := worst.Seconds() / cpu.Seconds()
	s.r.Set(result.PathShare, share)
	if share > pathBound {
		return fmt.Errorf("%w: %s, %.2f%% of the server's processor time and more than %.1f%%", errContention, worst, 100*share, 100*pathBound)
	}
	return nil
}

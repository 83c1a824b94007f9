package auth

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// defaultRefresh is how often a set is fetched when nothing is wrong.
	defaultRefresh = 5 * time.Minute
	// minLifetime bounds what the keeper of a set can make the hub ask of it.
	minLifetime = 30 * time.Second
	// fileLifetime is how soon the change of a file is seen; to read a small file costs next to nothing.
	fileLifetime = 10 * time.Second
	// firstRetry is the pause after the first of several fetches that fail; each later one is twice as long.
	firstRetry = time.Second
	// minAsk is the least time between the beginnings of two fetches that tokens ask for, minAskFile that
	// for a file. A set that is younger decides what key is unknown.
	minAsk     = 10 * time.Second
	minAskFile = time.Second
	// maxPatience is how long a token waits for a fetch.
	maxPatience = 3 * time.Second
	// maxWaiting bounds the tokens that wait for a fetch. Those beyond are not verified.
	maxWaiting = 1000
)

// remoteSet holds the key set of one location for all who verify with it. Its one goroutine fetches
// the set: when it is due, and when a token names a key that is unknown.
//
//	nothing held --fetched--> fresh --failed--> stale
//	                            ^ <---fetched---- |
//
// Nothing held and stale are tried again soon; a stale set goes on being used, for however long.
type remoteSet struct {
	location *location
	refresh  time.Duration
	now      func() time.Time
	log      *slog.Logger
	changed  func() // called once another set is held
	minAsk   time.Duration
	patience time.Duration

	held   atomic.Pointer[jwks] // nil until the first fetch succeeds; only the goroutine changes it
	wake   chan struct{}        // holds one request at most
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended

	fetched, failed atomic.Uint64
	waiting         atomic.Int64

	mu        sync.Mutex    // guards all below, for as long as it takes to read or set them
	began     time.Time     // the latest fetch
	confirmed time.Time     // when the set was last fetched, or the beginning
	round     chan struct{} // closed at the end of the fetch that is due or under way; nil if none is
}

func newRemoteSet(l *location, o *Options, changed func()) *remoteSet {
	s := &remoteSet{
		location: l, refresh: o.Refresh, now: o.Now, log: o.Logger.With(slog.String("keys", l.String())), changed: changed,
		minAsk: minAsk, patience: maxPatience,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		confirmed: o.Now(), round: make(chan struct{}), // the first fetch is due
	}
	if l.isFile() {
		s.minAsk = minAskFile
	}
	return s
}

// start begins to fetch. It does not wait for the first fetch.
func (s *remoteSet) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.run(ctx)
}

// stop ends the goroutine, a fetch under way included. What is held stays in use.
func (s *remoteSet) stop() {
	s.cancel()
	<-s.done
}

func (s *remoteSet) run(ctx context.Context) {
	defer close(s.done)
	for failures := 0; ctx.Err() == nil; {
		lifetime, err := s.update(ctx, failures)
		pause := s.pause(lifetime)
		if err == nil {
			failures = 0
		} else {
			pause = min(firstRetry<<min(failures, 16), s.refresh)
			failures++
		}
		due := time.NewTimer(pause)
		select {
		case <-due.C:
		case <-s.wake:
		case <-ctx.Done():
		}
		due.Stop()
	}
}

// pause returns when a set is fetched again that may be held for lifetime. Its keeper can shorten the
// time, not lengthen it: a key that is withdrawn has to be gone when the operator expects it.
func (s *remoteSet) pause(lifetime time.Duration) time.Duration {
	switch {
	case lifetime == 0:
		return s.refresh
	case !s.location.isFile():
		lifetime = max(lifetime, minLifetime)
	}
	return min(lifetime, s.refresh)
}

// update fetches the set once, after so many failures in a row. It returns how long the set may be held.
func (s *remoteSet) update(ctx context.Context, failures int) (time.Duration, error) {
	s.begin()
	d, err := s.location.fetch(ctx)
	held := s.held.Load()
	set := held
	if err == nil && (held == nil || sha256.Sum256(d.body) != held.digest) {
		set, err = readJWKS(d.body)
	}
	if ctx.Err() != nil {
		return 0, err
	}
	if err == nil && set != held {
		// In this order: a grant that was remembered while the count was the new one was not verified
		// with the old keys.
		s.held.Store(set)
		s.changed()
	}
	s.end(err == nil)
	s.report(held, set, failures, err)
	return d.lifetime, err
}

// begin notes that a fetch begins, which is the one that was asked for, if one was.
func (s *remoteSet) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.wake:
	default:
	}
	s.began = s.now()
	if s.round == nil {
		s.round = make(chan struct{})
	}
}

// end lets those who wait look at what is held now.
func (s *remoteSet) end(fetched bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fetched {
		s.confirmed = s.now()
	}
	close(s.round)
	s.round = nil
}

// report counts a fetch, and logs what is no repetition: the first failure, the end of failures, another set.
func (s *remoteSet) report(before, after *jwks, failures int, err error) {
	if err != nil {
		s.failed.Add(1)
		if failures == 0 {
			s.log.Warn("key set cannot be fetched", slog.Any("error", err), slog.Bool("stale", before != nil))
		}
		return
	}
	s.fetched.Add(1)
	switch {
	case after != before && after.used == 0:
		s.log.Warn("key set has no key that verifies signatures", slog.Int("skipped", after.skipped))
	case after != before:
		s.log.Info("key set fetched", slog.Int("used", after.used), slog.Int("skipped", after.skipped))
	case failures > 0:
		s.log.Info("key set can be fetched again")
	}
}

// newer returns the set that decides about a key which seen, the set held a moment ago, does not have.
// It asks for a fetch, if the latest one is not too recent for that, and waits for it. ErrKeysUnavailable
// is returned if there is no set, or if it is old and no newer one can be had.
func (s *remoteSet) newer(seen *jwks) (*jwks, error) {
	if round := s.ask(seen); round != nil {
		s.await(round)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held.Load()
	if held == nil || held == seen && s.now().Sub(s.confirmed) > s.minAsk {
		return nil, ErrKeysUnavailable
	}
	return held, nil
}

// ask returns the round to wait for, nil if there is nothing to wait for.
func (s *remoteSet) ask(seen *jwks) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.held.Load() != seen:
		return nil
	case s.round != nil:
	case s.now().Sub(s.began) < s.minAsk:
		return nil
	default:
		s.round = make(chan struct{})
		s.wake <- struct{}{} // has room: a request goes along with a round
	}
	return s.round
}

func (s *remoteSet) await(round <-chan struct{}) {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > maxWaiting {
		return
	}
	late := time.NewTimer(s.patience)
	defer late.Stop()
	select {
	case <-round:
	case <-late.C:
	case <-s.done:
	}
}

// age returns how long ago the set was last fetched, or the hub began to try.
func (s *remoteSet) age() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, s.now().Sub(s.confirmed))
}

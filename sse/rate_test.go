package sse

import (
	"testing"
	"time"

	"hubd/auth"
)

func TestRate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	r := newRate(10, 3, func() time.Time { return now })
	alice, bob := auth.Bearer{1}, auth.Bearer{2}
	for i, step := range []struct {
		after time.Duration
		b     auth.Bearer
		wait  time.Duration
	}{
		{0, alice, 0}, {0, alice, 0}, {0, alice, 0}, // the burst
		{0, alice, 100 * time.Millisecond},
		{0, bob, 0}, // on its own
		{99 * time.Millisecond, alice, time.Millisecond},
		{time.Millisecond, alice, 0},
		{0, alice, 100 * time.Millisecond},   // what was refused did not count
		{time.Hour, alice, 0}, {0, alice, 0}, // and an hour of silence is one burst
		{0, alice, 0}, {0, alice, 100 * time.Millisecond},
		{-time.Minute, bob, 0}, // the clock was set back
	} {
		now = now.Add(step.after)
		if got := r.take(step.b); (got > 0) != (step.wait > 0) || step.wait > 0 && got != step.wait {
			t.Fatalf("step %d: wait %s, want %s", i, got, step.wait)
		}
	}
}

func TestRateThatIsOff(t *testing.T) {
	t.Parallel()
	if r := newRate(0, 0, time.Now); r != nil {
		t.Error("a rate of nothing limits")
	}
	s := new(Server)
	if s.limit(nil, auth.Bearer{}) || s.PublishesLimited() != 0 {
		t.Error("a server without a rate limits")
	}
	// A burst that is not set is one second's worth.
	r := newRate(2, 0, func() time.Time { return time.Unix(1e9, 0) })
	for i, limited := range []bool{false, false, true} {
		if (r.take(auth.Bearer{}) > 0) != limited {
			t.Errorf("publish %d: limited %t, want %t", i, !limited, limited)
		}
	}
}

// I4: however many bearers publish, what is remembered of them is bounded, and one that goes on publishing is not
// forgotten for the others.
func TestInvariantI4RateIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	r := newRate(1, 1, func() time.Time { return now })
	r.places = 100
	bearer := func(n int) auth.Bearer { return auth.Bearer{byte(n), byte(n >> 8), byte(n >> 16), 1} }
	busy := auth.Bearer{}
	r.take(busy)
	for n := range 1000 {
		r.take(bearer(n))
		if size := len(r.young) + len(r.old); size > 2*r.places {
			t.Fatalf("%d bearers are remembered, the bound is %d", size, 2*r.places)
		}
		if n%50 == 0 && n > 0 { // its next publish comes due now and then
			now = now.Add(time.Second)
			if r.take(busy) > 0 {
				t.Fatal("limited although it waited")
			}
		}
		if r.take(busy) == 0 {
			t.Fatalf("forgotten after %d others", n)
		}
	}
}

package persistence

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"hubd/mercure"
)

// stubLog is a Log of which only Append works, as append says.
type stubLog struct {
	Log
	append  func(batch []*mercure.Event) error
	batches []int // sizes of the batches that were appended
}

func (l *stubLog) Append(batch []*mercure.Event) (uint64, error) {
	if l.append != nil {
		if err := l.append(batch); err != nil {
			return 0, err
		}
	}
	l.batches = append(l.batches, len(batch))
	return 1, nil
}

type commits []int

func (c *commits) Commit(d time.Duration, events int) { *c = append(*c, events) }

// observed sees commits and changes of health: true for a log that fails.
type observed struct {
	*commits
	failing []bool
}

func (o *observed) Failing(err error) { o.failing = append(o.failing, err != nil) }

// clock is a clock that stands until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

type batcherTest struct {
	*batcher
	log     *stubLog
	clock   *clock
	commits *commits
	seen    *observed
	probes  int
}

func newBatcherTest() *batcherTest {
	b := &batcherTest{log: &stubLog{}, clock: &clock{at: time.Unix(1000, 0)}, commits: &commits{}}
	b.seen = &observed{commits: b.commits}
	b.batcher = &batcher{
		log: b.log, health: &health{now: b.clock.now, interval: time.Second}, observer: b.seen, now: b.clock.now,
		maxEvents: 4, maxBytes: 2000, probed: func() { b.probes++ },
	}
	return b
}

func newRequest(size int) *request {
	return &request{event: newEvent(size), done: make(chan error, 1)}
}

// answers returns the answers that are there, and fails for requests without one.
func answers(t *testing.T, requests ...*request) []error {
	t.Helper()
	var got []error
	for i, r := range requests {
		select {
		case err := <-r.done:
			got = append(got, err)
		default:
			t.Fatalf("request %d has no answer", i)
		}
	}
	return got
}

func TestBatcherGathersWhatWaits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		sizes []int // of events that wait together
		want  []int // batches
	}{
		{"one", []int{10}, []int{1}},
		{"all that wait", []int{10, 10, 10}, []int{3}},
		{"no more than fit", []int{10, 10, 10, 10, 10, 10}, []int{4, 2}},
		{"no more bytes than fit", []int{1200, 1200, 10}, []int{2, 1}},
		{"one that alone is too large", []int{5000, 10}, []int{1, 1}},
	} {
		b := newBatcherTest()
		var requests []*request
		for i, size := range tc.sizes {
			r := newRequest(size)
			requests = append(requests, r)
			b.add(r, i == len(tc.sizes)-1)
		}
		for i, err := range answers(t, requests...) {
			if err != nil {
				t.Errorf("%s: request %d: %v", tc.name, i, err)
			}
		}
		if !slices.Equal(b.log.batches, tc.want) || !slices.Equal(*b.commits, tc.want) {
			t.Errorf("%s: batches %v, observed %v, want %v", tc.name, b.log.batches, *b.commits, tc.want)
		}
	}
}

func TestBatcherKeepsTheOrder(t *testing.T) {
	t.Parallel()
	b := newBatcherTest()
	var got, want []*mercure.Event
	b.log.append = func(batch []*mercure.Event) error {
		got = append(got, batch...)
		return nil
	}
	for i := range 11 {
		r := newRequest(1)
		want = append(want, r.event)
		b.add(r, i%3 == 2 || i == 10)
	}
	if !slices.Equal(got, want) {
		t.Error("events reach the log in another order than they came")
	}
}

func TestBatcherAnswersAllOfAFailedBatch(t *testing.T) {
	t.Parallel()
	b := newBatcherTest()
	cause := errors.New("no space left on device")
	b.log.append = func([]*mercure.Event) error { return cause }
	first, second, late := newRequest(1), newRequest(1), newRequest(1)
	b.add(first, false)
	b.add(second, true)
	b.add(late, true) // it was in the mailbox already
	for i, err := range answers(t, first, second, late) {
		if !errors.Is(err, ErrFailed) || !errors.Is(err, cause) {
			t.Errorf("answer %d is %v, want the failure and its cause", i, err)
		}
	}
	if len(b.log.batches) > 0 || len(*b.commits) > 0 {
		t.Errorf("batches %v, observed %v, want none", b.log.batches, *b.commits)
	}
	if err := b.health.err(); !errors.Is(err, cause) {
		t.Errorf("health is %v, want the cause", err)
	}
}

func TestBatcherTurnsAPanicIntoAFailure(t *testing.T) {
	t.Parallel()
	b := newBatcherTest()
	b.log.append = func([]*mercure.Event) error { panic("page 7: assertion failed") }
	r := newRequest(1)
	b.add(r, true)
	if err := answers(t, r)[0]; !errors.Is(err, ErrFailed) {
		t.Errorf("the answer is %v, want ErrFailed", err)
	}
	b.log.append = nil
	trial := newRequest(1)
	trial.trial = true
	b.add(trial, true)
	if err := answers(t, trial)[0]; err != nil || !slices.Equal(b.log.batches, []int{1}) {
		t.Errorf("after the panic: %v, batches %v", err, b.log.batches)
	}
}

func TestBatcherLetsOnlyTrialsThroughWhileFailed(t *testing.T) {
	t.Parallel()
	b := newBatcherTest()
	b.health.fail(ErrFailed)
	ordinary, trial, another := newRequest(1), newRequest(1), newRequest(1)
	trial.trial = true
	b.add(ordinary, false)
	b.add(trial, false)
	b.add(another, true)
	got := answers(t, ordinary, trial, another)
	if got[0] == nil || got[1] != nil || got[2] == nil {
		t.Errorf("answers %v, want only the trial to succeed", got)
	}
	if !slices.Equal(b.log.batches, []int{1}) || b.health.err() != nil {
		t.Errorf("batches %v and health %v, want one event and health", b.log.batches, b.health.err())
	}
}

func TestBatcherProbeAppendsNothing(t *testing.T) {
	t.Parallel()
	b := newBatcherTest()
	b.health.fail(ErrFailed)
	b.add(&request{trial: true}, true)
	if !slices.Equal(b.log.batches, []int{0}) || b.health.err() != nil || b.probes != 1 || len(*b.commits) > 0 {
		t.Errorf("batches %v, health %v, %d probes done, commits %v", b.log.batches, b.health.err(), b.probes, *b.commits)
	}
}

func TestHealthSpacesTrials(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Unix(1000, 0)}
	h := &health{now: c.now, interval: time.Second}
	if trial, err := h.admit(); trial || err != nil {
		t.Fatalf("healthy: %t, %v", trial, err)
	}
	h.fail(ErrFailed)
	admitted := 0
	for range 100 { // ten seconds
		trial, err := h.admit()
		if trial {
			admitted++
		} else if err == nil {
			t.Fatal("an append that is no trial is let through")
		}
		c.at = c.at.Add(100 * time.Millisecond)
	}
	if admitted != 9 {
		t.Errorf("%d trials in ten seconds, want one a second after the first", admitted)
	}
	h.recover()
	if trial, err := h.admit(); trial || err != nil {
		t.Errorf("recovered: %t, %v", trial, err)
	}
}

func TestCredits(t *testing.T) {
	t.Parallel()
	c := newCredits(3, 100)
	step := func(name string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Fatalf("%s: %v, want %v", name, got, want)
		}
	}
	step("a large one alone", c.take(500), nil)
	step("a small one beside it", c.take(1), ErrBusy)
	c.give(500)
	step("first", c.take(60), nil)
	step("too many bytes", c.take(41), ErrBusy)
	step("second", c.take(40), nil)
	step("third", c.take(0), nil)
	step("fourth", c.take(0), ErrBusy)
	c.give(60)
	step("after one came back", c.take(60), nil)
	c.give(60)
	c.give(40)
	c.give(0)
	if c.events.Load() != 0 || c.bytes.Load() != 0 {
		t.Errorf("%d credits for %d bytes are out, want none", c.events.Load(), c.bytes.Load())
	}
	c.close()
	step("after close", c.take(1), ErrStopped)
	c.close()
}

// The writer lets others run before it commits less than it committed last, and only then: a publisher that
// is alone is not held up, and what came meanwhile is in the same batch.
func TestWriterLetsPublishersCatchUp(t *testing.T) {
	t.Parallel()
	b := newBatcherTest()
	var sent atomic.Int64
	var mailbox []*request
	send := func(n int) {
		for range n {
			mailbox = append(mailbox, newRequest(1))
			sent.Add(1)
		}
	}
	yields, ready := 0, 0 // ready publishers send when they may run
	w := &writer{batcher: b.batcher, sent: &sent, yield: func() {
		yields++
		send(ready)
		ready = 0
	}}
	for i, step := range []struct {
		send, ready int // who has sent, and who could
		yields      int
		batches     []int
	}{
		{1, 3, 0, []int{1}},    // nobody was answered before
		{1, 3, 0, []int{1}},    // one was answered, and it is back
		{3, 0, 0, []int{3}},    // they sent together
		{1, 2, 1, []int{3}},    // two that were answered follow
		{3, 1, 0, []int{3}},    // all that were answered are back
		{1, 0, 1, []int{1}},    // the others do not come, and nobody waits for them
		{1, 3, 0, []int{1}},    // alone again
		{4, 1, 0, []int{4}},    // a full batch
		{2, 5, 2, []int{4, 3}}, // more than fit; the rest is less than the batch before it
	} {
		yields, ready, b.log.batches = 0, step.ready, nil
		for send(step.send); len(mailbox) > 0; {
			r := mailbox[0]
			mailbox = mailbox[1:]
			w.take(r)
		}
		if yields != step.yields || !slices.Equal(b.log.batches, step.batches) {
			t.Errorf("step %d: %d yields and batches %v, want %d and %v", i, yields, b.log.batches, step.yields, step.batches)
		}
	}
}

// Who observes the store hears of a failure once, and of the end of it once.
func TestBatcherTellsOfFailuresOnce(t *testing.T) {
	t.Parallel()
	b := newBatcherTest()
	results := []error{nil, errors.New("disk"), errors.New("disk"), nil, nil, errors.New("disk"), nil}
	for _, err := range results {
		b.log.append = func([]*mercure.Event) error { return err }
		r := newRequest(10)
		r.trial = true
		b.add(r, true)
		<-r.done
	}
	if want := []bool{true, false, true, false}; !slices.Equal(b.seen.failing, want) {
		t.Errorf("changes of health: %v, want %v", b.seen.failing, want)
	}
}

package logtest

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// patience is how long the suite waits for what must happen before it calls it missing. It is no expectation of speed.
const patience = 60 * time.Second

// Cutter is a place that can take the engine away from one of its open logs, as a broken network does, and bring it
// back. The timeout of its logs is to be short, for the suite waits for it.
type Cutter interface {
	Cut(log persistence.Log)
	Mend()
}

// RunShared runs the suite for back ends that are persistence.Shared, beside Run. It has two logs open on each place.
func RunShared(t *testing.T, b Backend) {
	for _, group := range []struct {
		name string
		run  func(*testing.T, Backend)
	}{
		{"in turn", testInTurn},
		{"at once", testAtOnce},
		{"contiguous", testContiguous},
		{"open", testSharedOpen},
		{"cut off", testCutOff},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			group.run(t, b)
		})
	}
}

// nodes are logs that are open on one place: the first is that of a harness, whose model stands for all of them.
type nodes struct {
	*harness
	logs [2]persistence.Shared
}

func newNodes(t *testing.T, b Backend, r persistence.Retention) *nodes {
	t.Helper()
	n := &nodes{harness: newHarness(t, b, r)}
	n.own(n.log)
	n.logs[1] = n.join(nil)
	return n
}

// own takes the harness' log for the first one, and closes it at the end whichever the harness then goes through.
func (n *nodes) own(log persistence.Log) {
	n.Helper()
	n.logs[0] = shared(n, log)
	n.Cleanup(func() {
		if err := log.Close(); err != nil {
			n.Errorf("close: %v", err)
		}
	})
}

// join opens one more log on the place.
func (n *nodes) join(contacted persistence.Contacted) persistence.Shared {
	n.Helper()
	log, err := n.place.Open(Options{Retention: n.retention, Ring: n.ring, Now: func() time.Time { return n.now }, Contacted: contacted})
	if err != nil {
		n.Fatalf("open a second log: %v", err)
	}
	n.Cleanup(func() {
		if err := log.Close(); err != nil {
			n.Errorf("close: %v", err)
		}
	})
	return shared(n, log)
}

func shared(t testing.TB, log persistence.Log) persistence.Shared {
	t.Helper()
	s, ok := log.(persistence.Shared)
	if !ok {
		t.Fatalf("a %T is no persistence.Shared", log)
	}
	return s
}

// through makes the log the one that the harness goes through, when it has what was appended so far.
func (n *nodes) through(log persistence.Shared) *nodes {
	n.Helper()
	awaitHead(n, log, uint64(len(n.events)))
	n.log = log
	return n
}

// checkAll compares every log with the model.
func (n *nodes) checkAll() {
	n.Helper()
	for _, log := range n.logs {
		n.through(log).check()
	}
}

// signal returns a channel and a function that puts something into it unless something is there.
func signal() (woken chan struct{}, notify func()) {
	woken = make(chan struct{}, 1)
	return woken, func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
}

// awaitHead waits until the log has the event at the position, woken by notifications alone.
func awaitHead(t testing.TB, log persistence.Log, position uint64) {
	t.Helper()
	woken, notify := signal()
	tail, err := log.Tail(position, notify)
	if err != nil {
		t.Fatalf("tail after %d: %v", position, err)
	}
	defer tail.Close()
	late := time.After(patience)
	for {
		if _, head := log.Bounds(); head >= position {
			return
		}
		select {
		case <-woken:
		case <-late:
			_, head := log.Bounds()
			t.Fatalf("a log stays at %d, another has %d", head, position)
		}
	}
}

// awaitEmptyAppend tries the log until it can append.
func awaitEmptyAppend(t testing.TB, log persistence.Log) {
	t.Helper()
	late := time.After(patience)
	for {
		_, err := log.Append(nil)
		if err == nil {
			return
		}
		select {
		case <-late:
			t.Fatalf("the log does not recover: %v", err)
		default:
		}
	}
}

// reader follows a log from a position on and keeps what comes.
type reader struct {
	name string
	log  persistence.Log
	mu   sync.Mutex
	seen []*mercure.Event
	last uint64

	moved chan struct{}
	ended sync.WaitGroup
	quit  chan struct{}
}

// read starts a reader, which ends with the test or with stop.
func (n *nodes) read(name string, log persistence.Log, after uint64) *reader {
	n.Helper()
	woken, notify := signal()
	tail, err := log.Tail(after, notify)
	if err != nil {
		n.Fatalf("tail after %d: %v", after, err)
	}
	notify()
	r := &reader{name: name, log: log, last: after, moved: make(chan struct{}, 1), quit: make(chan struct{})}
	r.ended.Go(func() {
		defer tail.Close()
		for {
			select {
			case <-woken:
			case <-r.quit:
				return
			}
			if !r.drain(n, tail) {
				return
			}
		}
	})
	n.Cleanup(r.stop)
	return r
}

func (r *reader) stop() {
	select {
	case <-r.quit:
	default:
		close(r.quit)
	}
	r.ended.Wait()
}

// drain takes what there is. It reports whether the tail is in order.
func (r *reader) drain(t testing.TB, tail persistence.Tail) bool {
	for {
		page, err := tail.Next(nil, pageBytes)
		if err != nil {
			t.Errorf("%s: next: %v", r.name, err)
			return false
		}
		if len(page) == 0 {
			return true
		}
		if err := contiguous(r.log, page, r.last); err != nil { // only this goroutine writes r.last
			t.Errorf("%s: %v", r.name, err)
		}
		r.mu.Lock()
		for _, e := range page {
			r.last = e.Position
			r.seen = append(r.seen, e)
		}
		r.mu.Unlock()
		select {
		case r.moved <- struct{}{}:
		default:
		}
	}
}

// await waits until the event at the position has come, and returns what came.
func (r *reader) await(t testing.TB, position uint64) []*mercure.Event {
	t.Helper()
	late := time.After(patience)
	for {
		r.mu.Lock()
		last, seen := r.last, r.seen
		r.mu.Unlock()
		if last >= position {
			return slices.Clone(seen)
		}
		select {
		case <-r.moved:
		case <-late:
			t.Fatalf("%s: event %d came last, want %d", r.name, last, position)
		}
	}
}

// checkSame checks that two readers saw the same events, without gaps from the position on.
func checkSame(t testing.TB, after uint64, a, b []*mercure.Event) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("one tail brought %d events, the other %d", len(a), len(b))
	}
	for i := range a {
		if want := after + uint64(i) + 1; a[i].Position != want || b[i].Position != want {
			t.Fatalf("the tails brought events %d and %d, want %d", a[i].Position, b[i].Position, want)
		}
		checkEqual(t, a[i], b[i])
	}
}

func checkEqual(t testing.TB, a, b *mercure.Event) {
	t.Helper()
	if a.Position != b.Position || a.ID() != b.ID() || !bytes.Equal(a.Frame(), b.Frame()) || !a.Time.Equal(b.Time) ||
		!slices.Equal(a.Topics, b.Topics) || a.Private != b.Private || a.OwnID != b.OwnID {
		t.Fatalf("event %d is on one log\n%+v with frame %q, on the other\n%+v with frame %q", a.Position, *a, a.Frame(), *b, b.Frame())
	}
}

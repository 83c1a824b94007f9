package actors

import (
	"testing"
	"testing/synctest"

	"hubd/persistence/memory"
	"hubd/topics"
)

// However many streams catch up, no more pages of history wait for the workers than there are replayers: a live event
// waits behind those alone.
func TestPagesUnderWayAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const replayers, streams = 3, 20
		log, err := memory.Open(memory.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = log.Close() }()
		w := newWorkers(1, 1, 1)
		written := 0
		inbox := w.newMailbox()
		inbox.RegisterHandlers(&invoker{user: func(any) { written++ }}, nil)
		r := newReplayer(log, 1<<10, new(Hub).sendPage)
		r.start(replayers)
		for range streams {
			r.request(&readRequest{s: &Subscriber{inbox: inbox, want: new(topics.Set)}})
		}
		synctest.Wait() // the workers have not begun, so whoever waits for them stands still
		waiting := 0
		for l := inbox.letters.newest.Load(); l != nil; l = l.next {
			waiting++
		}
		if waiting != replayers {
			t.Errorf("%d pages wait for the worker, want one for each of %d replayers", waiting, replayers)
		}
		w.start()
		synctest.Wait()
		if written != streams {
			t.Errorf("%d pages were written, want %d", written, streams)
		}
		r.stop()
		w.stop()
	})
}

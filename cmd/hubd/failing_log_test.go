package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"hubd/actors"
	"hubd/auth"
	"hubd/internal/hubtest"
	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/memory"
	"hubd/sse"
	"hubd/topics"
)

var errSync = errors.New("sync /var/lib/hubd/hub.db: input/output error")

// failingLog is a log on a disk that has troubles.
type failingLog struct {
	persistence.Log

	// mu guards what follows.
	mu sync.Mutex
	// fails makes appends fail; with persists, after the batch was stored.
	fails, persists bool
	// stored are such batches, which become visible when the disk works again.
	stored []*mercure.Event
	// stalled holds appends, unless it is nil, and begun is told of each.
	stalled chan struct{}
	begun   chan int
}

func (l *failingLog) set(fails, persists bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails, l.persists = fails, persists
}

// Append implements persistence.Log.
func (l *failingLog) Append(batch []*mercure.Event) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stalled != nil {
		l.begun <- len(batch)
		<-l.stalled
	}
	if l.fails {
		if l.persists {
			l.stored = append(l.stored, batch...)
		}
		return 0, errSync
	}
	if len(l.stored) > 0 {
		if _, err := l.Log.Append(l.stored); err != nil {
			return 0, err
		}
		l.stored = nil
	}
	return l.Log.Append(batch)
}

// serveLog runs a hub on the log, in this process, and returns where.
func serveLog(t *testing.T, log *failingLog, credits int) (p *hubtest.Process, store *persistence.Store) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	space, err := topics.NewSpace(topics.Options{BaseURL: "http://127.0.0.1" + sse.Path})
	must(err)
	t.Cleanup(space.Close)
	key := auth.Key{Material: []byte(hubtest.Secret)}
	verifier, err := auth.New(auth.Options{Publisher: key, Subscriber: key, Space: space})
	must(err)
	t.Cleanup(verifier.Close)
	system := actors.NewSystem(slog.New(slog.DiscardHandler))
	store, err = persistence.NewStore(persistence.Options{Log: log, System: system, Credits: credits, TrialInterval: time.Millisecond})
	must(err)
	t.Cleanup(store.Stop)
	hub, err := actors.New(actors.Options{System: system, Log: log, Store: store, Space: space})
	must(err)
	must(hub.Start())
	t.Cleanup(hub.Stop)
	listener, err := sse.Listen("127.0.0.1:0")
	must(err)
	server, err := sse.New(sse.Options{Listener: listener, Hub: hub, Ready: store.Err, Verifier: verifier, Reserved: space.Reserved, Anonymous: true})
	must(err)
	must(server.Start())
	t.Cleanup(func() {
		hub.Drain(context.Background(), 0)
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &hubtest.Process{URL: "http://" + listener.Addr().String() + sse.Path}, store
}

// What a log refuses, a publisher is told, and no stream sees before the log has it for sure. When the disk
// works again the hub does too, and what turns out to have been stored takes its place in the order.
func TestFailingSync(t *testing.T) {
	t.Parallel()
	for _, persists := range []bool{false, true} {
		t.Run(fmt.Sprint("persisted all the same ", persists), func(t *testing.T) {
			t.Parallel()
			inner, err := memory.Open(memory.Options{})
			if err != nil {
				t.Fatal(err)
			}
			log := &failingLog{Log: inner}
			p, store := serveLog(t, log, 0)
			live := p.Subscribe(t, "topic=a")
			token := "Bearer " + hubtest.Token(t, []string{"*"}, nil)
			var want []string
			for round := range 3 {
				p.PublishData(t, "a", fmt.Sprint("before ", round))
				want = append(want, fmt.Sprint("before ", round))
				live.Expect(t, want[len(want)-1])

				log.set(true, persists)
				wantUnavailable(t, hubtest.Do(t, http.MethodPost, p.URL, "topic=a&data="+enc(fmt.Sprint("refused ", round)), "Authorization", token), "not stored")
				// A hub in this state is not ready; what comes meanwhile is refused at the door.
				if err := store.Err(); !errors.Is(err, persistence.ErrFailed) || !errors.Is(err, errSync) {
					t.Errorf("the store is in order after a failure: %v", err)
				}
				if _, head := inner.Bounds(); head != uint64(len(want)) {
					t.Fatalf("%d updates can be seen, want %d", head, len(want))
				}
				log.set(false, false)
				for deadline := time.Now().Add(hubtest.Patience); store.Err() != nil; runtime.Gosched() { // others make the trial
					if time.Now().After(deadline) {
						t.Fatalf("the store does not recover: %v", store.Err())
					}
				}
				if persists {
					want = append(want, fmt.Sprint("refused ", round))
					live.Expect(t, want[len(want)-1])
				}
			}
			p.PublishData(t, "a", "last")
			live.Expect(t, "last")
			p.Subscribe(t, "topic=a&lastEventID=earliest").Expect(t, append(want, "last")...)
		})
	}
}

// A disk that takes its time costs time, and nothing else: who waits is bounded, who comes too many is told
// to come back, and nobody is told that an update is stored before it is.
func TestSlowSync(t *testing.T) {
	t.Parallel()
	const credits = 4
	inner, err := memory.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := &failingLog{Log: inner, stalled: make(chan struct{}), begun: make(chan int, 100)}
	p, store := serveLog(t, log, credits)
	live := p.Subscribe(t, "topic=a")
	token := "Bearer " + hubtest.Token(t, []string{"*"}, nil)
	answers := make(chan int, credits)
	var publishers sync.WaitGroup
	for i := range credits {
		publishers.Go(func() {
			answers <- hubtest.Do(t, http.MethodPost, p.URL, url.Values{"topic": {"a"}, "data": {fmt.Sprint(i)}}.Encode(), "Authorization", token).Status
		})
	}
	<-log.begun
	for deadline := time.Now().Add(hubtest.Patience); store.Waiting() < credits && time.Now().Before(deadline); {
		runtime.Gosched() // the others are on their way
	}
	wantUnavailable(t, hubtest.Do(t, http.MethodPost, p.URL, "topic=a&data=too+many", "Authorization", token), "not stored")
	if _, head := inner.Bounds(); head != 0 || len(answers) > 0 {
		t.Errorf("%d updates can be seen and %d publishers were answered before the commit", head, len(answers))
	}
	if err := store.Err(); err != nil {
		t.Errorf("a slow store is not ready: %v", err)
	}
	close(log.stalled)
	publishers.Wait()
	for range credits {
		if status := <-answers; status != http.StatusOK {
			t.Errorf("a publish that waited is answered %d", status)
		}
	}
	var got []string
	for range credits {
		got = append(got, live.Next(t).Data)
	}
	if text := strings.Join(got, ""); len(text) != credits || strings.Trim(text, "0123") != "" {
		t.Errorf("the stream got %q", got)
	}
}

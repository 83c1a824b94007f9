package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"hubd/config"
	"hubd/internal/hubtest"
	"hubd/persistence"
	"hubd/persistence/sharedtest"
)

// vanished is a store whose engine went away as soon as it was open.
type vanished struct{ *sharedtest.Node }

func (vanished) Caveats() []string { return nil }

// heard tells of lines of the log with the text.
type heard struct {
	text string
	come chan struct{}
}

// Write implements io.Writer.
func (h heard) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(h.text)) {
		select {
		case h.come <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

// vanishing returns a hub whose engine goes away between the opening of the store and the rest of its start.
func vanishing(t *testing.T, args ...string) (d *daemon, node func() *sharedtest.Node, waits heard) {
	t.Helper()
	cfg, err := config.Load(append([]string{
		"--store=redis://nowhere.invalid", "--listen=127.0.0.1:0", "--admin-listen=", "--drain=0s", "--anonymous", "--publisher-key=" + hubtest.Secret,
	}, args...), nil)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := sharedtest.NewEngine(nil)
	if err != nil {
		t.Fatal(err)
	}
	var opened *sharedtest.Node
	waits = heard{"waiting for the store", make(chan struct{}, 1)}
	log := slog.New(slog.NewTextHandler(waits, nil))
	d = &daemon{cfg: cfg, log: log, damage: damage{log: log}, faults: make(chan error, 1)}
	d.open = func(_ context.Context, o *sharedOptions) (sharedStore, error) {
		opened, err = engine.Open(sharedtest.Options{Contacted: o.contacted, Lost: o.lost})
		if err != nil {
			return nil, err
		}
		opened.Cut(true)
		return vanished{opened}, nil
	}
	return d, func() *sharedtest.Node { return opened }, waits
}

// An engine that goes away while a hub starts, when its store is open already, is waited for like one that was never there.
func TestEngineGoesAwayDuringAStart(t *testing.T) {
	t.Parallel()
	for _, subscriptions := range []bool{false, true} {
		t.Run(fmt.Sprint("subscriptions ", subscriptions), func(t *testing.T) {
			t.Parallel()
			d, node, waits := vanishing(t, fmt.Sprint("--subscriptions=", subscriptions))
			started := make(chan error, 1)
			go func() { started <- d.start(t.Context(), io.Discard) }()
			select {
			case <-waits.come:
			case err := <-started:
				t.Fatalf("the hub does not wait: %v", err)
			}
			if err := d.ready(); err == nil || !strings.Contains(err.Error(), persistence.ErrUnavailable.Error()) {
				t.Errorf("the hub that waits says: %v", err)
			}
			node().Cut(false)
			if err := <-started; err != nil {
				t.Fatalf("starting: %v", err)
			}
			if err := d.stop(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Its patience has an end, and it can be asked to stop before that.
func TestEngineStaysAwayDuringAStart(t *testing.T) {
	t.Parallel()
	d, _, _ := vanishing(t, "--store-wait=0s")
	err := d.start(t.Context(), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "--store-wait") {
		t.Errorf("without patience: %v", err)
	}
	if err := d.stop(); err != nil {
		t.Error(err)
	}
	d, _, waits := vanishing(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-waits.come
		cancel()
	}()
	if err := d.start(ctx, io.Discard); err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("asked to stop: %v", err)
	}
	if err := d.stop(); err != nil {
		t.Error(err)
	}
}

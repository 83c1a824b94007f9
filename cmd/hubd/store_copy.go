package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"hubd/config"
	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/bolt"
)

const (
	// copyEvents and copyBytes bound a batch of a copy.
	copyEvents = 1024
	copyBytes  = 1 << 20
	// copySpan is how far apart the times of a batch's updates may be: all are dated with the newest.
	copySpan = time.Second
	// copyProgress is how often a copy says how far it is.
	copyProgress = 2 * time.Second
	// copyPatience is how long a server may take to answer: it may have been started just now.
	copyPatience = 10 * time.Second
)

// storeCopyCommand is hubd store copy.
type storeCopyCommand struct {
	From storeURL `arg:"" help:"Store to copy from: bolt://PATH or a path, which no hub may have open, or the URL of a server."`
	To   storeURL `arg:"" help:"Store to copy to, in the same forms. It must be empty, and no hub may write to it."`
}

// storeURL is a store with a history that outlives a process.
type storeURL string

// store returns the store; a path is that of a bolt store.
func (u storeURL) store() config.Store {
	if s := config.NewStore(string(u)); s.Scheme() != "" {
		return s
	}
	return config.NewStore(config.StoreBolt + "://" + string(u))
}

// Validate implements kong's interface of that name. It shows nothing of a URL but its scheme and host.
func (u storeURL) Validate() error {
	s := u.store()
	if s.Scheme() == config.StoreBolt && s.Path() != "" || s.Engine() != "" && s.Hosts() != "" {
		return nil
	}
	return fmt.Errorf("%s is no store to copy; write a path, bolt://PATH, redis://HOST, postgres://HOST/DATABASE or nats://HOST", s)
}

// Run copies, and reads the copy to see that it is one.
func (c *storeCopyCommand) Run(ctx context.Context, s *streams) (err error) {
	from, to := c.From.store(), c.To.store()
	if from.Engine() == "" {
		if _, err := os.Stat(from.Path()); err != nil {
			return fmt.Errorf("copy from %s: %w", from, err)
		}
	}
	source, err := openCopied(ctx, from, nil)
	if err != nil {
		return fmt.Errorf("copy from %s: %w", from, err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	dated := new(time.Time)
	target, err := openCopied(ctx, to, func() time.Time { return *dated })
	if err != nil {
		return fmt.Errorf("copy to %s: %w", to, err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if _, head := target.Bounds(); head > 0 {
		return fmt.Errorf("copy to %s: it has had %d updates, and only an empty store can be copied to; remove it and copy again", to, head)
	}
	k := &copier{source: source, target: target, dated: dated, out: s.err, next: time.Now().Add(copyProgress)}
	want, err := k.copy(ctx)
	if err != nil {
		return fmt.Errorf("copy %s to %s: %w; remove what was copied and copy again", from, to, err)
	}
	got, err := summarise(ctx, target)
	if err != nil {
		return fmt.Errorf("read the copy in %s: %w", to, err)
	}
	if !got.equal(want) {
		return fmt.Errorf("the copy in %s is not what was read from %s: it has %d updates from %q to %q, not %d from %q to %q",
			to, from, got.count, got.first, got.last, want.count, want.first, want.last)
	}
	if _, err := fmt.Fprintf(s.out, "copied: %d updates\nfirst: %s\nlast: %s\ndigest: %x\n", want.count, want.first, want.last, want.digest.Sum(nil)); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// openCopied opens a store without bounds, so that nothing is removed from it. Nil is time.Now.
func openCopied(ctx context.Context, s config.Store, now func() time.Time) (persistence.Log, error) {
	if s.Engine() == "" {
		return bolt.Open(bolt.Options{Path: s.Path(), Now: now})
	}
	return answered(ctx, func() (persistence.Log, error) {
		return openShared(ctx, &sharedOptions{store: s, now: now})
	})
}

// answered opens a store on a server, and again for a while if the server cannot be reached.
func answered(ctx context.Context, open func() (persistence.Log, error)) (persistence.Log, error) {
	patience, cancel := context.WithTimeout(ctx, copyPatience)
	defer cancel()
	for {
		log, err := open()
		if err == nil || !errors.Is(err, persistence.ErrUnavailable) || wait(patience, storeRetry) != nil {
			return log, err
		}
	}
}

// summary is what two histories are compared by.
type summary struct {
	count       uint64
	first, last string
	digest      hash.Hash // of all that a client or a matcher sees of each update
}

func newSummary() *summary { return &summary{digest: sha256.New()} }

func (s *summary) add(e *mercure.Event) {
	if s.count++; s.count == 1 {
		s.first = e.ID()
	}
	s.last = e.ID()
	private := byte(0)
	if e.Private {
		private = 1
	}
	part := func(b []byte) { // with its length, so that nothing can move from one part to the next
		s.digest.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		s.digest.Write(b)
	}
	part([]byte{private, byte(min(len(e.Topics), 255))})
	for _, topic := range e.Topics {
		part([]byte(topic))
	}
	part(e.Frame())
}

func (s *summary) equal(other *summary) bool {
	return s.count == other.count && s.first == other.first && s.last == other.last && bytes.Equal(s.digest.Sum(nil), other.digest.Sum(nil))
}

// summarise reads a whole history.
func summarise(ctx context.Context, log persistence.Log) (*summary, error) {
	all := newSummary()
	for after := uint64(0); ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		page, err := log.Read(after, copyBytes)
		if err != nil || len(page) == 0 {
			return all, err
		}
		for _, e := range page {
			all.add(e)
		}
		after = page[len(page)-1].Position
	}
}

// copier copies a history.
type copier struct {
	source, target persistence.Log
	// dated is the time that the target gives to the next batch.
	dated *time.Time
	out   io.Writer
	next  time.Time // of the next line about progress
}

// copy copies what the source holds now, and returns its summary. Ids that the source made are of no meaning to the
// target, which has a key of its own: it takes all ids as ids that publishers chose, and finds them by its index.
func (k *copier) copy(ctx context.Context) (*summary, error) {
	before, head := k.source.Bounds()
	total, all := head-before, newSummary()
	for after := before; after < head; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		page, err := k.source.Read(after, copyBytes)
		if err != nil {
			return nil, fmt.Errorf("reading after position %d: %w", after, err)
		}
		if len(page) == 0 || page[0].Position != after+1 && after != before {
			return nil, errors.New("updates were removed while they were copied; bound the history less, or stop the hub")
		}
		for len(page) > 0 && after < head {
			n := batchLength(page, head)
			if err := k.append(page[:n], all); err != nil {
				return nil, err
			}
			after, page = page[n-1].Position, page[n:]
		}
		if now := time.Now(); now.After(k.next) {
			k.next = now.Add(copyProgress)
			fmt.Fprintf(k.out, "hubd: %d of %d updates\n", all.count, total)
		}
	}
	return all, nil
}

// batchLength returns how many events from the first on, up to the head, go in one batch.
func batchLength(page []*mercure.Event, head uint64) int {
	n := 1
	for n < len(page) && n < copyEvents && page[n].Position <= head && page[n].Time.Sub(page[0].Time).Abs() <= copySpan {
		n++
	}
	return n
}

func (k *copier) append(events []*mercure.Event, all *summary) error {
	batch := make([]*mercure.Event, len(events))
	for i, e := range events {
		all.add(e)
		batch[i] = mercure.RestoreEvent(0, time.Time{}, e.Topics, e.Private, true, len(e.IDBytes()), e.Frame())
	}
	*k.dated = events[len(events)-1].Time
	if _, err := k.target.Append(batch); err != nil {
		return fmt.Errorf("writing the update after %d others: %w", all.count-uint64(len(events)), err)
	}
	return nil
}

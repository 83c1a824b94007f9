package cluster

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"hubd/mercure"
	"hubd/persistence"
)

// presenceBoard is the board's name.
const presenceBoard = "presence"

// callTimeout bounds a call of the board, which may take several round trips.
const callTimeout = 5 * time.Second

// Appender makes events durable. persistence.Store is one.
type Appender interface {
	// AppendAll stores the events in order and returns how many of them were stored, from the first on.
	AppendAll(events []*mercure.Event) (stored int, err error)
}

// PresenceOptions are those of NewPresence.
type PresenceOptions struct {
	// Log has the board. Required.
	Log persistence.Shared
	// Store takes the events about subscriptions of other nodes. Required.
	Store Appender
	// Node is the name of this node.
	Node string
	// Lease is how long the subscriptions of a node that died stay listed; 15 s if zero.
	Lease time.Duration
	// HubPath is the path of the hub's URL.
	HubPath string
	// Logger is told of nodes that died.
	Logger *slog.Logger
}

// Validate reports an option that is missing or makes no sense.
func (o *PresenceOptions) Validate() error {
	switch {
	case o.Log == nil || o.Store == nil:
		return errors.New("presence needs a log and a store")
	case o.Lease < 0:
		return errors.New("the lease is negative")
	}
	return nil
}

// Presence makes the subscriptions of this node known to the others, and lists those of all. All methods may be called from
// any goroutine, except that Announcing and Announced have one caller at a time.
type Presence struct {
	o     PresenceOptions
	board persistence.Board
	// holder is this process on the board. A name alone could be that of a process that died a moment ago, whose lease
	// this one would renew.
	holder string
	quit   context.Context
	end    context.CancelFunc
	done   sync.WaitGroup

	// changing is held while the board is changed, so that its state and mine agree.
	changing sync.Mutex
	// mine are the values on the board, or that belong there, by key.
	mine map[string][]byte
	// spent are keys to be deleted that could not be yet.
	spent   []string
	stopped bool
	// renounced says that this node's lease ended while it lived: others may have announced the ends of what is mine.
	renounced bool
	// doubt says that a renewal or an adoption failed, which may have been done all the same: the answer that was lost may
	// have been that the lease had ended, or what this node inherited.
	doubt bool
	// inherited are entries of nodes that died, whose ends are to be announced, and then deleted.
	inherited map[string]persistence.Entry
	// ends is what others say of the ends of what is mine.
	ends *ends

	// listing is held while what follows is brought up to date.
	listing sync.Mutex
	// others are the subscriptions of other nodes as of the revision, if listed.
	others   []mercure.Subscription
	revision uint64
	listed   bool
}

// NewPresence returns a presence that does nothing before Start.
func NewPresence(o PresenceOptions) (*Presence, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	if o.Lease == 0 {
		o.Lease = 15 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Presence{
		o: o, board: o.Log.Board(presenceBoard), holder: o.Node + "/" + token(),
		mine: map[string][]byte{}, inherited: map[string]persistence.Entry{},
	}
	var err error
	if p.ends, err = newEnds(o.Log, o.HubPath); err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	p.quit, p.end = context.WithCancel(context.Background())
	return p, nil
}

// Start takes the lease and keeps it. It returns an error if the board cannot be reached.
func (p *Presence) Start() error {
	if err := p.tick(); err != nil {
		return fmt.Errorf("taking a lease for this node: %w", err)
	}
	p.done.Go(p.run)
	return nil
}

// Stop ends the goroutine. It gives the lease up if nothing is left to be announced, and otherwise leaves it to end: then
// another node announces it. Idempotent, and legal before Start.
func (p *Presence) Stop() {
	p.end()
	p.done.Wait()
	p.ends.close()
	p.changing.Lock()
	defer p.changing.Unlock()
	if p.stopped || len(p.mine) > 0 || len(p.inherited) > 0 || p.o.Log.Contact() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := p.board.Drop(ctx, p.holder); err != nil {
		p.o.Logger.Debug("the lease of this node is left to end", slog.Any("error", err))
	}
	p.stopped = true
}

// run keeps the lease until Stop.
func (p *Presence) run() {
	wait := p.o.Lease / 3
	due := time.After(wait)
	for {
		select {
		case <-due:
			due = time.After(wait - wait/10 + rand.N(wait/10))
		case <-p.ends.news:
			if err := p.ends.follow(); err != nil {
				p.o.Logger.Debug("the ends of subscriptions are read later", slog.Any("error", err))
			}
			continue
		case <-p.quit.Done():
			return
		}
		if err := p.tick(); err != nil && p.quit.Err() == nil {
			p.o.Logger.Debug("the lease of this node was not renewed", slog.Any("error", err))
		}
	}
}

// tick renews the lease, and sees to the entries of nodes that have lost theirs, this one among them.
func (p *Presence) tick() error {
	p.changing.Lock()
	defer p.changing.Unlock()
	ctx, cancel := context.WithTimeout(p.quit, callTimeout)
	defer cancel()
	held, err := p.board.Renew(ctx, p.holder, p.o.Lease.Milliseconds())
	if err != nil {
		p.doubt = true
		return err
	}
	p.renounced = p.renounced || !held
	var errs []error
	if p.doubt {
		errs = append(errs, p.reconcile(ctx))
	}
	if p.renounced {
		errs = append(errs, p.restore(ctx))
	}
	errs = append(errs, p.contradict())
	if len(p.spent) > 0 {
		errs = append(errs, p.delete(ctx, nil))
	}
	adopted, err := p.board.Adopt(ctx, p.holder)
	p.doubt = p.doubt || err != nil
	errs = append(errs, err)
	dead := map[string]bool{}
	for _, e := range adopted {
		dead[e.Holder] = true
		if p.mine[e.Key] != nil {
			p.renounced = true // its heir has died in turn, and may have announced the end
			continue
		}
		p.inherited[e.Key] = e
	}
	for node := range dead {
		p.o.Logger.Warn("a node is gone, its subscriptions are taken off", slog.String("node", node))
	}
	return errors.Join(append(errs, p.bury(ctx))...)
}

// reconcile finds out from the board what answers that were lost may have said.
func (p *Presence) reconcile(ctx context.Context) error {
	all, err := p.board.List(ctx)
	if err != nil {
		return err
	}
	missing := len(p.mine)
	for _, e := range all {
		if e.Holder != p.holder {
			continue
		}
		if p.mine[e.Key] != nil {
			missing--
			continue
		}
		if _, state, err := decode(e.Value); err == nil && state.Node != p.holder && !slices.Contains(p.spent, e.Key) {
			p.inherited[e.Key] = e
		}
	}
	p.renounced = p.renounced || missing > 0
	p.doubt = false
	return nil
}

// restore puts what is mine on the board again, after the lease was lost, and announces it anew once no other node has
// it any more: the heir may be about to announce its end.
func (p *Presence) restore(ctx context.Context) error {
	if len(p.mine) > 0 {
		entries := make([]persistence.Entry, 0, len(p.mine))
		for key, value := range p.mine {
			entries = append(entries, persistence.Entry{Key: key, Value: value})
		}
		if err := p.board.Put(ctx, p.holder, entries); err != nil {
			return err
		}
		all, err := p.board.List(ctx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(e persistence.Entry) bool { return e.Holder != p.holder && p.mine[e.Key] != nil }) {
			return nil // with the next renewal
		}
		if err := p.announce(entries, true); err != nil {
			return err
		}
	}
	p.renounced = false
	return nil
}

// contradict announces anew what is mine and of which another node says that it has ended. That node inherited it and
// came late: what it appended waited until a third had taken off the same entries and this one had put them on again.
func (p *Presence) contradict() error {
	err := p.ends.follow()
	if p.renounced {
		return err // an heir may be about to say it
	}
	var entries []persistence.Entry
	for _, key := range p.ends.ended() {
		entries = append(entries, persistence.Entry{Key: key, Value: p.mine[key]})
	}
	return errors.Join(err, p.announce(entries, true))
}

// bury announces the ends of what was inherited.
func (p *Presence) bury(ctx context.Context) error {
	if len(p.inherited) == 0 {
		return nil
	}
	entries := make([]persistence.Entry, 0, len(p.inherited))
	keys := make([]string, 0, len(p.inherited))
	for key, e := range p.inherited {
		entries, keys = append(entries, e), append(keys, key)
	}
	if err := p.announce(entries, false); err != nil {
		return err
	}
	clear(p.inherited)
	return p.delete(ctx, keys)
}

// announce stores an event about each of the entries but those that are leaving and are said to be active.
func (p *Presence) announce(entries []persistence.Entry, active bool) error {
	var events []*mercure.Event
	for _, e := range entries {
		s, state, err := decode(e.Value)
		if err != nil || active && state.Leaving {
			continue // what cannot be read nobody has listed either
		}
		s.Active = active
		events = append(events, mercure.NewEvent(s.Update(p.o.HubPath)))
	}
	if len(events) == 0 {
		return nil
	}
	_, err := p.o.Store.AppendAll(events)
	return err
}

// delete takes keys off the board, and those that it owes.
func (p *Presence) delete(ctx context.Context, keys []string) error {
	p.spent = append(p.spent, keys...)
	if err := p.board.Delete(ctx, p.holder, p.spent); err != nil {
		return err
	}
	p.spent = nil
	return nil
}

// Announcing implements actors.Directory.
func (p *Presence) Announcing(subscriptions []mercure.Subscription) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	entries := make([]persistence.Entry, 0, len(subscriptions))
	for i := range subscriptions {
		key := keyOf(subscriptions[i].Topic(p.o.HubPath))
		value, err := p.encode(&subscriptions[i])
		if err != nil {
			p.o.Logger.Warn("a subscription is too large to be listed by other nodes", slog.Any("error", err))
			continue
		}
		p.mine[key] = value
		p.ends.watch(key)
		entries = append(entries, persistence.Entry{Key: key, Value: value})
	}
	if len(entries) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := p.board.Put(ctx, p.holder, entries); err != nil {
		return fmt.Errorf("listing subscriptions for other nodes: %w", err)
	}
	return nil
}

// Announced implements actors.Directory.
func (p *Presence) Announced(subscriptions []mercure.Subscription) {
	p.changing.Lock()
	defer p.changing.Unlock()
	var keys []string
	for i := range subscriptions {
		if key := keyOf(subscriptions[i].Topic(p.o.HubPath)); !subscriptions[i].Active && p.mine[key] != nil {
			delete(p.mine, key)
			p.ends.forget(key)
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := p.delete(ctx, keys); err != nil {
		p.o.Logger.Debug("ended subscriptions stay on the board for now", slog.Any("error", err))
	}
}

// token is text that no other process has.
func token() string { return cryptorand.Text()[:10] }

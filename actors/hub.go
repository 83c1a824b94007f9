package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/topics"
)

var (
	// ErrStopping is returned to those who come while the hub stops.
	ErrStopping = errors.New("hub is stopping")
	// ErrReserved is wrapped by the refusal of a topic in the namespace of the hub itself.
	ErrReserved = errors.New("topic is reserved for the hub")
	// ErrTooLarge is wrapped for an update that the store cannot take.
	ErrTooLarge = persistence.ErrTooLarge
)

// Appender makes an event durable. It returns when the event is stored and placed, or not at all.
type Appender interface {
	Append(e *mercure.Event) error
	// AppendAll stores the events in order and returns how many of them were stored, from the first on.
	AppendAll(events []*mercure.Event) (stored int, err error)
}

// Options are what a hub is made of. Log, Store, Space and System must be set.
type Options struct {
	// System runs the actors.
	System *actor.ActorSystem
	// Log is read for fan-out and history; Store appends to it.
	Log   persistence.Log
	Store Appender
	// Space compiles and matches selectors.
	Space *topics.Space
	// Revoked reports whether the token of a stream was revoked; nil revokes none. It must not wait.
	Revoked func(*Identity) bool
	// Directory makes subscriptions known to other hubs; nil if there are none.
	Directory Directory
	// Logger is told of ends of streams (debug) and of faults.
	Logger *slog.Logger

	// HubPath is the path of the hub's URL, below which the topics of subscription events lie.
	HubPath string

	// QueueBytes bounds what waits for one subscriber, 256 KiB if zero.
	QueueBytes int64
	// BatchBytes bounds what one round of the fan-out holds, 64 KiB if zero.
	BatchBytes int
	// PageBytes bounds a page of history, 64 KiB if zero.
	PageBytes int
	// MaxLag is how many stored events may wait for the fan-out before publishes wait too, 8,192 if zero.
	MaxLag int
	// PublishWait is how long they wait before they are refused with ErrBehind, 5 s if zero.
	PublishWait time.Duration
	// Replayers is how many pages of history are under way at a time, 16 for each core if zero.
	Replayers int
	// MaxTopics bounds the topic actors kept, 16,384 if zero; a topic beyond it costs a lookup more.
	MaxTopics int
	// EndedStreams is how many streams are remembered after their end, and JournalRounds of how many rounds of the fan-out
	// the time is, for those who ask what became of an event; zero is none.
	EndedStreams, JournalRounds int
	// Heartbeat is the longest silence on a stream; zero sends none.
	Heartbeat time.Duration
	// DispatchTimeout is the longest that a socket may be full, 5 s if zero.
	DispatchTimeout time.Duration
}

func (o *Options) defaults() error {
	if o.System == nil || o.Log == nil || o.Store == nil || o.Space == nil {
		return errors.New("hub needs an actor system, a log, a store and a selector space")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		field *int
		value int
	}{
		{&o.BatchBytes, 64 << 10},
		{&o.PageBytes, 64 << 10},
		{&o.MaxLag, 8192},
		{&o.Replayers, 16 * runtime.GOMAXPROCS(0)},
		{&o.MaxTopics, 16384},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = 256 << 10
	}
	if o.DispatchTimeout <= 0 {
		o.DispatchTimeout = 5 * time.Second
	}
	if o.PublishWait <= 0 {
		o.PublishWait = 5 * time.Second
	}
	return nil
}

// Hub is the live half of the hub. Its methods may be called from any goroutine.
type Hub struct {
	o     Options
	stats Stats
	pid   *actor.PID
	lim   limits

	wheel     *wheel
	replayer  *replayer
	workers   *workers
	announcer *announcer
	gate      *gate
	departed  *departed
	tail      persistence.Tail
	scratches sync.Pool
	streamers *actor.Props
	// dispatcher runs the hub actor.
	dispatcher *persistence.Dispatcher

	// notified says that an available message is on its way to the hub actor.
	notified atomic.Bool
	// retryAt is when the tail, which failed, is to be tried again, in Unix nanoseconds; 0 if it works.
	retryAt atomic.Int64

	ticking sync.WaitGroup
	quit    chan struct{}
	// fault delivers why the hub actor failed, and broken is closed then.
	fault  chan error
	broken chan struct{}

	// mu guards the two below; no lock is held across I/O.
	mu       sync.Mutex
	stopping bool
	started  bool

	// streams counts subscriber actors that have not stopped; emptied is told when the last one has.
	streams atomic.Int64
	emptied chan struct{}
}

// New returns a hub that does nothing before Start.
func New(o Options) (*Hub, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	h := &Hub{o: o, lim: limits{o.Heartbeat, o.DispatchTimeout, o.QueueBytes}, quit: make(chan struct{}), fault: make(chan error, 1), broken: make(chan struct{}), emptied: make(chan struct{}, 1)}
	h.scratches.New = func() any { b := make([]byte, 0, scratchBytes); return &b }
	h.workers = newWorkers(runtime.GOMAXPROCS(0), lanesEach, neighbours)
	h.stats.tallies = h.workers.tallies()
	h.streamers = actor.PropsFromProducer(
		func() actor.Actor { return &subscriberActor{hub: h} },
		actor.WithMailbox(func() actor.Mailbox { return h.workers.newMailbox() }),
		actor.WithGuardian(stopOnFault()),
	)
	h.replayer = newReplayer(o.Log, o.PageBytes, h.sendPage)
	h.replayer.logger = o.Logger
	h.gate = newGate(o.MaxLag, o.PublishWait, h.lag)
	h.departed = newDeparted(o.EndedStreams)
	h.announcer = newAnnouncer(o.Store, o.Directory, o.HubPath, o.Logger)
	return h, nil
}

// Start begins to follow the log from its head.
func (h *Hub) Start() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.started || h.stopping {
		return errors.New("hub was started before")
	}
	_, head := h.o.Log.Bounds()
	h.stats.dispatched.Store(head)
	h.notified.Store(true) // by what is sent last here: where others append to the log, it may grow before there is an actor
	tail, err := h.o.Log.Tail(head, h.notify)
	if err != nil {
		return fmt.Errorf("following the log from position %d: %w", head, err)
	}
	h.tail = tail
	h.dispatcher = persistence.NewDispatcher()
	h.pid = h.o.System.Root.Spawn(h.sequencerProps())
	h.started = true
	h.wheel = newWheel(time.Now())
	h.workers.start()
	h.replayer.start(h.o.Replayers)
	h.announcer.start()
	h.ticking.Go(h.tick)
	h.toHub(available{})
	return nil
}

// notify wakes the hub actor, unless it has been woken already.
func (h *Hub) notify() {
	if h.notified.CompareAndSwap(false, true) {
		h.toHub(available{})
	}
}

// tick turns the wheel.
func (h *Hub) tick() {
	ticker := time.NewTicker(wheelTick)
	defer ticker.Stop()
	var due []*Subscriber
	for {
		select {
		case <-h.quit:
			return
		case <-ticker.C:
		}
		now := time.Now()
		clear(due)
		due = h.wheel.advance(now, due[:0])
		for _, s := range due {
			h.toSubscriber(s, tick{})
		}
		if at := h.retryAt.Load(); at != 0 && now.UnixNano() >= at && h.retryAt.CompareAndSwap(at, 0) {
			h.notify()
		}
		h.replayer.retry(now)
	}
}

// Fault delivers the error after which the hub cannot go on: the process must end and start again.
func (h *Hub) Fault() <-chan error { return h.fault }

// Stats returns the hub's counters.
func (h *Hub) Stats() *Stats { return &h.stats }

// LastEventID returns the id of the newest event, or mercure.Earliest.
func (h *Hub) LastEventID() string { return h.o.Log.LastID() }

// lag returns how many stored events wait for the fan-out.
func (h *Hub) lag() uint64 {
	dispatched := h.stats.Dispatched() // first: the head only grows
	_, head := h.o.Log.Bounds()
	return max(head, dispatched) - dispatched
}

// Lag returns how many stored events wait for the fan-out.
func (h *Hub) Lag() uint64 { return h.lag() }

// PublishesHeld returns how many publishes have ever waited for the fan-out.
func (h *Hub) PublishesHeld() uint64 { return h.gate.held.Load() }

// Publish makes the update durable and returns its id; delivery follows by way of the log. The update
// must be valid. It waits while the fan-out is too far behind. Errors wrap ErrReserved, ErrTooLarge, ErrBehind or ErrStopping, or
// come from the store.
func (h *Hub) Publish(u *mercure.Update) (id string, err error) {
	for _, topic := range u.Topics {
		if h.o.Space.Reserved(topic) {
			return "", fmt.Errorf("%w: %q", ErrReserved, topic)
		}
	}
	if err := h.gate.pass(h.quit); err != nil {
		return "", err
	}
	e := mercure.NewEvent(u)
	if err := h.o.Store.Append(e); err != nil {
		return "", err
	}
	return e.ID(), nil
}

// Drain ends every stream within the time, evenly spread, after everything committed has been
// dispatched. New streams are refused from here on. It returns when all have ended; when ctx ends
// first, the streams that are left end at once.
func (h *Hub) Drain(ctx context.Context, over time.Duration) { h.finish(ctx, drain{over}) }

// finish refuses new streams, dispatches everything committed, has the hub actor end the streams and waits for them.
func (h *Hub) finish(ctx context.Context, end any) {
	h.mu.Lock()
	if !h.started || h.stopping {
		h.mu.Unlock()
		return
	}
	h.stopping = true
	h.mu.Unlock()

	h.settle(ctx)
	h.toHub(end)
	for done := ctx.Done(); h.streams.Load() > 0; {
		select {
		case <-h.emptied:
		case <-h.broken:
			return
		case <-done:
			h.toHub(drain{0})
			done = nil
		}
	}
}

// streamStopped counts a subscriber actor out.
func (h *Hub) streamStopped() {
	if h.streams.Add(-1) == 0 {
		select {
		case h.emptied <- struct{}{}:
		default:
		}
	}
}

// settle waits until everything committed was dispatched, or ctx ends.
func (h *Hub) settle(ctx context.Context) {
	settled := make(chan struct{})
	h.toHub(settle{settled})
	h.notify()
	select {
	case <-settled:
	case <-h.broken:
	case <-ctx.Done():
	}
}

// Stop ends what streams are left and every goroutine of the hub. It is idempotent and legal before Start.
func (h *Hub) Stop() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	h.Drain(ended, 0)

	h.mu.Lock()
	started := h.started
	h.started, h.stopping = false, true
	h.mu.Unlock()
	if !started {
		return
	}
	h.announcer.flush()
	h.tail.Close()
	_ = h.o.System.Root.StopFuture(h.pid).Wait()
	h.dispatcher.Join()
	close(h.quit)
	h.ticking.Wait()
	h.replayer.stop()
	h.workers.stop()
}

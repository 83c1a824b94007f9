package jetstream

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"hubd/mercure"
	"hubd/persistence"
)

// Keys of a stream's metadata, which is written with the stream and never again.
const (
	metaFormat = "hubd-format"
	metaIDKey  = "hubd-id-key"
	format     = "1"
)

// persistAsync is the persist mode of streams that are not written before the server answers.
const persistAsync = "async"

// How the client finds out that a server is gone, and how it comes back. The wait is spread, so that all nodes of a
// cluster do not come at once.
const (
	pingInterval = 2 * time.Second
	pingsOut     = 2

	defaultReconnectWait = 100 * time.Millisecond
	reconnectSpread      = 4 // times the wait
)

// What a node tells the others by publishing to the wake subject: that it raised the floor, and that another was first
// with an append, so that it waits for its turn.
const (
	floorToken   = "floor"
	waitingToken = "waiting"
)

// largestUpdate is what a message must be able to hold for every update that the hub takes by default, whose lines may
// all be empty.
const largestUpdate = 8 << 20

func (l *Log) connect(ctx context.Context) (*nats.Conn, error) {
	wait := l.o.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	changed := func(*nats.Conn) { l.nudge() }
	options := append([]nats.Option{
		nats.Name("hubd"),
		nats.Timeout(max(wait, time.Millisecond)),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(pingsOut),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(l.o.reconnectWait),
		nats.ReconnectJitter(reconnectSpread*l.o.reconnectWait, reconnectSpread*l.o.reconnectWait),
		nats.RetryOnFailedConnect(false),
		// A message that waits for a connection would be stored when nobody knows of it any more.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { l.nudge() }),
		nats.ReconnectHandler(changed),
		// Errors of the connection come out with the next request.
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, l.target.connect...)
	if l.o.dialer != nil {
		options = append(options, nats.SetCustomDialer(l.o.dialer))
	}
	nc, err := nats.Connect(strings.Join(l.target.servers, ","), options...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", persistence.ErrUnavailable, err)
	}
	return nc, nil
}

// setUp creates what the store needs where it is missing, and reads the key of the ids.
func (l *Log) setUp(ctx context.Context) error {
	var options []jetstream.JetStreamOpt
	var js jetstream.JetStream
	var err error
	if l.target.domain != "" {
		js, err = jetstream.NewWithDomain(l.engine.nc, l.target.domain, options...)
	} else {
		js, err = jetstream.New(l.engine.nc, options...)
	}
	if err != nil {
		return err
	}
	key := make([]byte, persistence.IDKeyLen)
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("make the id key: %w", err)
	}
	storage := jetstream.FileStorage
	if l.target.memory {
		storage = jetstream.MemoryStorage
	}
	events := jetstream.StreamConfig{
		Name: l.target.stream, Description: "events of a Mercure hub", Subjects: []string{l.eventSubject(">")},
		Storage: storage, Replicas: l.target.replicas, DenyDelete: true, AllowDirect: true, AllowAtomicPublish: true,
		MaxMsgSize: -1,
		RePublish:  &jetstream.RePublish{Source: l.eventSubject(">"), Destination: l.wakeSubject(">"), HeadersOnly: true},
		Metadata:   map[string]string{metaFormat: format, metaIDKey: base64.StdEncoding.EncodeToString(key)},
	}
	x, err := l.ensure(ctx, js, events)
	if err != nil {
		return err
	}
	key, err = base64.StdEncoding.DecodeString(x.Config.Metadata[metaIDKey])
	if err == nil {
		l.cipher, err = persistence.NewIDCipher(key)
	}
	if err != nil {
		return fmt.Errorf("%w: its metadata has no usable key of ids", persistence.ErrNotHubStore)
	}
	board := jetstream.StreamConfig{
		Name: l.boardStream(), Description: "boards of a Mercure hub", Subjects: []string{l.target.stream + ".board.>", l.floorSubject()},
		Storage: storage, Replicas: l.target.replicas, MaxMsgsPerSubject: 1, AllowDirect: true, AllowAtomicPublish: true,
		AllowMsgTTL: true, Metadata: map[string]string{metaFormat: format},
	}
	if _, err := l.ensure(ctx, js, board); err != nil {
		return err
	}
	l.caveats = l.weigh(x)
	return nil
}

// ensure creates a stream unless it exists, and returns what the leader says of it.
func (l *Log) ensure(ctx context.Context, js jetstream.JetStream, c jetstream.StreamConfig) (info, error) {
	x, err := l.engine.info(ctx, c.Name)
	var refused *apiError
	if errors.As(err, &refused) && refused.ErrCode == codeNoStream {
		// Of several nodes that come here at once, one makes the stream.
		if _, err = js.CreateStream(ctx, c); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			var refused *jetstream.APIError
			if errors.As(err, &refused) {
				return x, fmt.Errorf("create stream %s: %w", c.Name, &apiError{Code: refused.Code, ErrCode: int(refused.ErrorCode), Description: refused.Description})
			}
			return x, fmt.Errorf("create stream %s: %w", c.Name, err)
		}
		x, err = l.engine.info(ctx, c.Name)
	}
	if err != nil {
		return x, err
	}
	if x.Config.Metadata[metaFormat] != format {
		return x, fmt.Errorf("%w: the metadata of stream %s does not say that it is one of this version", persistence.ErrNotHubStore, c.Name)
	}
	return x, nil
}

// weigh says what the engine cannot promise as it is set up.
func (l *Log) weigh(x info) []string {
	var caveats []string
	say := func(format string, args ...any) { caveats = append(caveats, fmt.Sprintf(format, args...)) }
	if x.Config.Storage == "memory" {
		say("stream %s is kept in memory: events are lost when its servers stop", l.target.stream)
	} else if x.Config.Replicas == 1 {
		say("stream %s has one replica: unless its server runs with \"sync_interval: always\", a crash of the machine may lose acknowledged events of the last two minutes", l.target.stream)
	} else {
		say("stream %s has %d replicas: unless its servers run with \"sync_interval: always\", a crash of most of their machines at once may lose acknowledged events", l.target.stream, x.Config.Replicas)
	}
	if x.Config.PersistMode == persistAsync {
		say("stream %s has the persist mode \"async\": its server acknowledges what it has not written yet, whatever its sync_interval is, and a server that is killed may lose acknowledged events", l.target.stream)
	}
	if x.Config.Replicas != l.target.replicas {
		say("stream %s has %d replicas and not the %d of the URL; \"nats stream edit\" changes that", l.target.stream, x.Config.Replicas, l.target.replicas)
	}
	if n := l.engine.nc.MaxPayload(); n < largestUpdate {
		say("the server takes messages of at most %d bytes (max_payload): a larger update is refused", n)
	}
	return caveats
}

// Subjects. An event is stored under the digest of the id that its publisher chose, others under madeToken. The engine
// publishes the headers of each message to all nodes once it is committed.
func (l *Log) eventSubject(token string) string { return l.target.stream + ".event." + token }
func (l *Log) wakeSubject(token string) string  { return l.target.stream + ".wake." + token }
func (l *Log) floorSubject() string             { return l.target.stream + ".floor" }
func (l *Log) boardStream() string              { return l.target.stream + "-board" }

// floor returns the position up to which a node removed events when it opened the store, as its bounds were lower or
// time had passed.
func (l *Log) floor(ctx context.Context) (uint64, error) {
	m, err := l.engine.last(ctx, l.boardStream(), l.floorSubject())
	if errors.Is(err, errNoMessage) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	floor, err := strconv.ParseUint(string(m.Data), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: the start of its history cannot be read", persistence.ErrCorrupt)
	}
	return floor, nil
}

// raiseFloor records that events up to the position are removed, and tells the other nodes.
func (l *Log) raiseFloor(ctx context.Context, to uint64) error {
	for {
		x, err := l.engine.info(ctx, l.boardStream())
		if err != nil {
			return err
		}
		floor, err := l.floor(ctx)
		if err != nil || floor >= to {
			return err
		}
		m := &nats.Msg{Subject: l.floorSubject(), Data: strconv.AppendUint(nil, to, 10)}
		_, err = l.engine.publish(ctx, []*nats.Msg{m}, x.State.LastSeq, "")
		var refused *apiError
		if errors.As(err, &refused) && refused.conflict() {
			continue
		}
		if err != nil {
			return err
		}
		return l.engine.nc.Publish(l.wakeSubject(floorToken), nil)
	}
}

// rewriteFloor writes what is stored already, to see whether the servers take messages. If another node writes in
// between they do.
func (l *Log) rewriteFloor(ctx context.Context, before uint64) error {
	x, err := l.engine.info(ctx, l.boardStream())
	if err != nil {
		return err
	}
	m := &nats.Msg{Subject: l.floorSubject(), Data: strconv.AppendUint(nil, before, 10)}
	_, err = l.publish(ctx, []*nats.Msg{m}, x.State.LastSeq, "")
	var refused *apiError
	if errors.As(err, &refused) && refused.conflict() {
		return nil
	}
	return err
}

// blank returns an event without topics, which nobody follows, for a position whose event is lost.
func (l *Log) blank(position uint64, at time.Time) *mercure.Event {
	e := mercure.NewEvent(&mercure.Update{Private: true})
	e.Place(position, at, l.cipher.Append(nil, position))
	return e
}

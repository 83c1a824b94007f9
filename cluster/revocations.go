package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"hubd/auth"
	"hubd/persistence"
)

// revocationsBoard is the board's name.
const revocationsBoard = "revocations"

const (
	// topicTime is how long a node may be away and still hear that a topic was revoked.
	topicTime = time.Hour
	// skew is how much the clocks of nodes may differ: for so long an ended revocation stays on the board.
	skew = time.Minute
)

// Kinds of what is revoked.
const (
	revokedID      = "jti"
	revokedSubject = "sub"
	revokedTopic   = "topic"
)

// RevocationsOptions are those of NewRevocations.
type RevocationsOptions struct {
	// Log has the board. Required.
	Log persistence.Shared
	// Node is the name of this node.
	Node string
	// Refuse refuses tokens at this node; the method Revoke of an auth.Verifier. Required.
	Refuse func(auth.Revocation) error
	// End ends the streams of this node whose tokens are refused and those that follow one of the topics. Required.
	End func(topics []string) error
	// Max bounds the topics on the board; 10,000 if zero. The rest is bounded by what Refuse takes.
	Max int
	// Interval is how often the board is looked at; 1 s if zero.
	Interval time.Duration
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Logger is told of what could not be done.
	Logger *slog.Logger
}

// Validate reports an option that is missing or makes no sense.
func (o *RevocationsOptions) Validate() error {
	switch {
	case o.Log == nil || o.Refuse == nil || o.End == nil:
		return errors.New("revocations need a log, and functions that refuse tokens and end streams")
	case o.Max < 0 || o.Interval < 0:
		return errors.New("a bound is negative")
	}
	return nil
}

func (o *RevocationsOptions) defaults() {
	if o.Max == 0 {
		o.Max = 10_000
	}
	if o.Interval == 0 {
		o.Interval = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Revocations makes what is revoked here known to the other nodes, and what is revoked there hold here. All methods may be
// called from any goroutine.
type Revocations struct {
	o     RevocationsOptions
	board persistence.Board
	quit  context.Context
	end   context.CancelFunc
	done  sync.WaitGroup

	// changing is held while the board is read or changed.
	changing sync.Mutex
	revision uint64
	// known are the entries of the board that hold here already, by holder and key.
	known map[place]revocation
}

// place is where an entry stands.
type place struct{ holder, key string }

// revocation is the value of an entry of the board, as JSON. Fields are added, never changed: nodes of several
// versions share a board.
type revocation struct {
	Kind         string    `json:"kind"`
	Issuer       string    `json:"issuer,omitempty"`
	Value        string    `json:"value"`
	Until        time.Time `json:"until"`
	IssuedBefore time.Time `json:"issued_before,omitzero"`
}

// equal compares times as times.
func (r revocation) equal(other revocation) bool {
	return r.Kind == other.Kind && r.Issuer == other.Issuer && r.Value == other.Value &&
		r.Until.Equal(other.Until) && r.IssuedBefore.Equal(other.IssuedBefore)
}

// merge returns a revocation that refuses at least what either does: one that is repeated must not let in what the
// first keeps out.
func (r revocation) merge(other revocation) revocation {
	if other.Until.After(r.Until) {
		r.Until = other.Until
	}
	switch {
	case r.IssuedBefore.IsZero() || other.IssuedBefore.IsZero():
		r.IssuedBefore = time.Time{}
	case other.IssuedBefore.After(r.IssuedBefore):
		r.IssuedBefore = other.IssuedBefore
	}
	return r
}

// NewRevocations returns revocations that do nothing before Start.
func NewRevocations(o RevocationsOptions) (*Revocations, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	o.defaults()
	r := &Revocations{o: o, board: o.Log.Board(revocationsBoard), known: map[place]revocation{}}
	r.quit, r.end = context.WithCancel(context.Background())
	return r, nil
}

// Start has everything hold here that is on the board, and looks at it from then on. It returns an error if the board
// cannot be read: a node that knows nothing would let in whoever was locked out.
func (r *Revocations) Start() error {
	if err := r.look(true); err != nil {
		return fmt.Errorf("reading what is revoked: %w", err)
	}
	r.done.Go(r.run)
	return nil
}

// Stop ends the goroutine. Idempotent, and legal before Start.
func (r *Revocations) Stop() {
	r.end()
	r.done.Wait()
}

func (r *Revocations) run() {
	for {
		wait := r.o.Interval
		select {
		case <-time.After(wait - wait/5 + rand.N(wait/5+1)):
		case <-r.quit.Done():
			return
		}
		if err := r.look(false); err != nil && r.quit.Err() == nil {
			r.o.Logger.Debug("revocations of other nodes are not known", slog.Any("error", err))
		}
	}
}

// look has what is new on the board hold here. On the first look the streams are those that are about to begin:
// a topic that was revoked before is none of theirs.
func (r *Revocations) look(first bool) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	ctx, cancel := context.WithTimeout(r.quit, callTimeout)
	defer cancel()
	revision, err := r.board.Revision(ctx)
	if err != nil {
		return err
	}
	if !first && revision == r.revision {
		return r.clean(ctx)
	}
	entries, err := r.board.List(ctx)
	if err != nil {
		return err
	}
	known := make(map[place]revocation, len(entries))
	var topics []string
	news := false
	for _, e := range entries {
		var at, one = place{e.Holder, e.Key}, revocation{}
		if err := json.Unmarshal(e.Value, &one); err != nil {
			r.o.Logger.Error("a revocation cannot be read", slog.Any("error", err))
			continue
		}
		known[at] = one
		if before, is := r.known[at]; is && before.equal(one) || !r.o.Now().Before(one.Until) {
			continue
		}
		switch news = true; one.Kind {
		case revokedID, revokedSubject:
			if err := r.o.Refuse(one.token()); err != nil {
				delete(known, at) // it is tried again with the next change
				r.o.Logger.Error("a revocation of another node does not hold here", slog.Any("error", err))
			}
		case revokedTopic:
			if !first {
				topics = append(topics, one.Value)
			}
		}
	}
	if news && !first {
		if err := r.o.End(topics); err != nil {
			return fmt.Errorf("ending streams: %w", err)
		}
	}
	r.known, r.revision = known, revision
	return r.clean(ctx)
}

// token is the revocation of an id or a subject.
func (r revocation) token() auth.Revocation {
	out := auth.Revocation{Issuer: r.Issuer, IssuedBefore: r.IssuedBefore, Until: r.Until}
	if r.Kind == revokedID {
		out.IDs = []string{r.Value}
	} else {
		out.Subjects = []string{r.Value}
	}
	return out
}

// clean takes revocations off the board that have ended for all nodes, whoever put them there.
func (r *Revocations) clean(ctx context.Context) error {
	ended := map[string][]string{}
	for at, one := range r.known {
		if r.o.Now().After(one.Until.Add(skew)) {
			ended[at.holder] = append(ended[at.holder], at.key)
		}
	}
	for holder, keys := range ended {
		if err := r.board.Delete(ctx, holder, keys); err != nil {
			return fmt.Errorf("taking off revocations that have ended: %w", err)
		}
		for _, key := range keys {
			delete(r.known, place{holder, key})
		}
	}
	return nil
}

// Revoke refuses tokens at this node, and makes that known to the others. After auth.ErrRevocationsFull nothing was done;
// after any other error the tokens are refused here, but perhaps nowhere else.
func (r *Revocations) Revoke(t auth.Revocation) error {
	if err := r.o.Refuse(t); err != nil {
		return err
	}
	var all []revocation
	for _, id := range t.IDs {
		all = append(all, revocation{revokedID, t.Issuer, id, t.Until, t.IssuedBefore})
	}
	for _, subject := range t.Subjects {
		all = append(all, revocation{revokedSubject, t.Issuer, subject, t.Until, t.IssuedBefore})
	}
	return r.put(all)
}

// RevokeTopics makes it known to the other nodes that the streams that follow one of the topics end.
func (r *Revocations) RevokeTopics(topics []string) error {
	all := make([]revocation, len(topics))
	for i, topic := range topics {
		all[i] = revocation{Kind: revokedTopic, Value: topic, Until: r.o.Now().Add(topicTime)}
	}
	return r.put(all)
}

// put puts the revocations on the board. They hold here already.
func (r *Revocations) put(all []revocation) error {
	if len(all) == 0 {
		return nil
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	entries := make([]persistence.Entry, len(all))
	for i := range all {
		at := place{r.o.Node, all[i].key()}
		if before, is := r.known[at]; is {
			all[i] = before.merge(all[i])
		}
		value, err := json.Marshal(all[i])
		if err != nil {
			return fmt.Errorf("describing a revocation: %w", err)
		}
		entries[i] = persistence.Entry{Key: at.key, Value: value}
	}
	if all[0].Kind == revokedTopic && r.topics()+len(all) > r.o.Max {
		return auth.ErrRevocationsFull
	}
	ctx, cancel := context.WithTimeout(r.quit, callTimeout)
	defer cancel()
	if err := r.board.Put(ctx, r.o.Node, entries); err != nil {
		return fmt.Errorf("telling the other nodes what is revoked: %w", err)
	}
	for i, e := range entries {
		r.known[place{r.o.Node, e.Key}] = all[i]
	}
	return nil
}

// topics returns how many topics are on the board.
func (r *Revocations) topics() (n int) {
	for _, one := range r.known {
		if one.Kind == revokedTopic {
			n++
		}
	}
	return n
}

// key is that of what is revoked, so that one of a node takes the place of its last. Each revocation of a topic has a
// key of its own: it ends the streams that there are then.
func (r revocation) key() string {
	if r.Kind == revokedTopic {
		return token()
	}
	digest := sha256.Sum256([]byte(r.Kind + "\n" + r.Issuer + "\n" + r.Value))
	return hex.EncodeToString(digest[:16])
}

package actors

import (
	"slices"
	"strconv"

	"hubd/mercure"
	"hubd/topics"
)

// audience is the set of joined subscribers of one lane that have the same matchers and the same grants, so that
// what a round holds for one it holds for all. Owned by the hub actor, but for what a worker does in its turn.
type audience struct {
	key     string
	want    *topics.Set
	grants  *topics.Set
	members []*Subscriber
	// lent says that a worker may be looking at the members: none of them may change its place.
	lent bool
	// follows and reads are the audience's places in the indexes of matchers and of grants.
	follows, reads listing

	// seen is the position of the last event taken, so that one with several topics, or matched by several
	// matchers, is taken once.
	seen uint64
	// round is the round that pending belongs to: the indexes of its events for this audience.
	round   uint64
	pending []int

	// posts wait for the audience's turn, which takes no more than mergeBytes of them at a time; see post.go.
	posts      pile[post, *post]
	turn       turn
	lane       *lane
	mergeBytes int
}

func newAudience(key string, want, grants *topics.Set, l *lane, mergeBytes int) *audience {
	a := &audience{key: key, want: want, grants: grants, lane: l, mergeBytes: mergeBytes, posts: pile[post, *post]{end: l.noPost}}
	a.turn.runner = a
	return a
}

// listing is where an audience stands in an index: the entry of each of its selectors, and the place
// in that entry.
type listing struct {
	nodes  []*topics.Node[*interest]
	places []int
}

// interest is what an index knows of a selector: the audiences that have it.
type interest struct {
	audiences []place
}

// place is an audience, and which of its listing's nodes this is.
type place struct {
	audience *audience
	listing  *listing
	which    int
}

// audienceKey is equal for equal matchers, equal grants and the same lane. Keys of sets hold NUL between selectors and no
// other control character, so a matcher cannot be taken for a grant.
func audienceKey(want, grants *topics.Set, l *lane) string {
	return want.Key() + "\x01" + grants.Key() + "\x01" + strconv.Itoa(l.number)
}

// may reports whether the audience's grants allow it to read the event (invariant I3).
func may(grants *topics.Set, e *mercure.Event) bool {
	return !e.Private || grants.MatchAny(e.Topics)
}

// enter adds a subscriber.
func (a *audience) enter(s *Subscriber) {
	s.audience, s.place = a, int32(len(a.members))
	a.members = append(a.members, s)
}

// exit takes a subscriber off by moving the last one into its place.
func (a *audience) exit(s *Subscriber) {
	if a.lent {
		a.members, a.lent = slices.Clone(a.members), false
	}
	last := len(a.members) - 1
	a.members[s.place] = a.members[last]
	a.members[s.place].place = s.place
	a.members[last] = nil
	a.members = a.members[:last]
	s.audience = nil
	if cap(a.members) > 64 && len(a.members) < cap(a.members)/4 {
		a.members = append(make([]*Subscriber, 0, cap(a.members)/2), a.members...)
	}
}

// attach enters the audience into the entries of the selectors.
func (l *listing) attach(a *audience, x *topics.Index[*interest], set *topics.Set) {
	if set.Len() == 0 {
		return
	}
	selectors := set.Selectors()
	l.nodes = make([]*topics.Node[*interest], len(selectors))
	l.places = make([]int, len(selectors))
	for i, sel := range selectors {
		node, created := x.Add(sel)
		if created {
			node.Value = &interest{}
		}
		l.nodes[i], l.places[i] = node, len(node.Value.audiences)
		node.Value.audiences = append(node.Value.audiences, place{a, l, i})
	}
}

// detach undoes attach; a selector that nobody has any more leaves the index.
func (l *listing) detach(x *topics.Index[*interest]) {
	for i, node := range l.nodes {
		in := node.Value
		last := len(in.audiences) - 1
		moved := in.audiences[last]
		in.audiences[l.places[i]] = moved
		moved.listing.places[moved.which] = l.places[i]
		in.audiences[last] = place{}
		in.audiences = in.audiences[:last]
		if last == 0 {
			x.Remove(node)
		}
	}
}

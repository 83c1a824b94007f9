package actors

import "hubd/topics"

// topic knows who follows one topic. It is an actor on the synchronized dispatcher: it runs within
// the hub actor's turn, in log order.
type topic struct {
	name  string
	index *topics.Index[*interest]
	// nodes are the matchers that select the topic, as of the index's generation.
	nodes      []*topics.Node[*interest]
	generation uint64
	// shown is the position of the last event that deliver went through.
	shown uint64
}

func newTopic(name string, index *topics.Index[*interest]) *topic {
	t := &topic{name: name, index: index}
	t.nodes = index.Lookup(name, nil)
	t.generation = index.Generation()
	return t
}

// followed brings the topic up to date with the index and reports whether anyone follows it.
func (t *topic) followed() bool {
	if g := t.index.Generation(); g != t.generation {
		clear(t.nodes)
		t.nodes = t.index.Lookup(t.name, t.nodes[:0])
		t.generation = g
	}
	return len(t.nodes) > 0
}

// deliver takes an event of the round for every audience that follows the topic and may read it.
func (t *topic) deliver(r *round, event int) {
	e := r.events[event]
	if !t.followed() {
		t.shown = e.Position
		return
	}
	for _, node := range t.nodes {
		for _, p := range node.Value.audiences {
			a := p.audience
			if a.seen == e.Position {
				continue
			}
			a.seen = e.Position
			if may(a.grants, e) {
				r.take(a, event)
			}
		}
	}
	t.shown = e.Position
}

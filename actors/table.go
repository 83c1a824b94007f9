package actors

// topicRef is what the hub actor keeps of a topic actor: a way to send to it.
type topicRef struct {
	name string
	// mail sends to the topic's actor and returns when it has run; stop ends it.
	mail func(message any)
	stop func()
	// topic is the actor's state, which the hub actor may look at between its messages.
	topic *topic
	used  bool
	place int
}

// topicTable holds the topics in use. Topics that nobody follows leave by the sweep; beyond the bound
// the least recently used leave, which costs a lookup when they return and nothing else.
// Owned by the hub actor.
type topicTable struct {
	bound  int
	byName map[string]*topicRef
	list   []*topicRef
	hand   int
}

func newTopicTable(bound int) *topicTable {
	return &topicTable{bound: bound, byName: make(map[string]*topicRef)}
}

// get returns the topic's actor if it is in use.
func (t *topicTable) get(name string) *topicRef {
	ref := t.byName[name]
	if ref != nil {
		ref.used = true
	}
	return ref
}

// add puts in a new topic and returns one that had to make room for it, or nil.
func (t *topicTable) add(ref *topicRef) (evicted *topicRef) {
	if len(t.list) >= t.bound {
		evicted = t.victim()
		t.remove(evicted)
	}
	ref.place = len(t.list)
	t.list = append(t.list, ref)
	t.byName[ref.name] = ref
	return evicted
}

// victim is the second-chance choice: the first topic not used since the hand last passed it.
func (t *topicTable) victim() *topicRef {
	for {
		t.hand = (t.hand + 1) % len(t.list)
		ref := t.list[t.hand]
		if !ref.used {
			return ref
		}
		ref.used = false
	}
}

func (t *topicTable) remove(ref *topicRef) {
	last := len(t.list) - 1
	t.list[ref.place] = t.list[last]
	t.list[ref.place].place = ref.place
	t.list[last] = nil
	t.list = t.list[:last]
	delete(t.byName, ref.name)
}

package actors

import (
	"sort"
	"sync/atomic"
	"time"

	"hubd/topics"
)

// journal notes when rounds of the fan-out were handed to the streams: a ring of the newest, made once. Owned by the hub actor.
// A nil journal notes nothing.
type journal struct {
	rounds []fanned
	// next is where the next round goes; full says that there is an older one.
	next int
	full bool
	now  func() time.Time
}

// fanned is a round: the positions of its first and last event, and when the first subscriber was about to be sent it.
type fanned struct {
	first, last uint64
	at          int64
}

func newJournal(rounds int, now func() time.Time) *journal {
	if rounds <= 0 {
		return nil
	}
	return &journal{rounds: make([]fanned, rounds), now: now}
}

// note is called for each round before it is handed over, so that no delivery is earlier.
func (j *journal) note(first, last uint64) {
	if j == nil {
		return
	}
	j.rounds[j.next] = fanned{first, last, j.now().UnixNano()}
	if j.next++; j.next == len(j.rounds) {
		j.next, j.full = 0, true
	}
}

// at returns when the event at the position began to be handed over, or zero if that is not known.
func (j *journal) at(position uint64) time.Time {
	if j == nil {
		return time.Time{}
	}
	oldest, count := 0, j.next
	if j.full {
		oldest, count = j.next, len(j.rounds)
	}
	round := func(i int) *fanned { return &j.rounds[(oldest+i)%len(j.rounds)] }
	i := sort.Search(count, func(i int) bool { return round(i).last >= position })
	if i == count || round(i).first > position {
		return time.Time{}
	}
	return time.Unix(0, round(i).at)
}

// departedCost is what one stream is counted as at least, and departedBudget what each that may be remembered adds to the
// bound, in bytes: enough for a stream with one matcher and a few grants.
const (
	departedCost   = 128
	departedBudget = 1024
)

// departed remembers the streams that ended last: so many, and fewer if their matchers are long. Owned by the hub
// actor but for count. A nil one remembers nothing.
type departed struct {
	most int
	// ring is made by the first stream that ends; oldest is where its streams begin.
	ring   []departure
	oldest int
	bytes  int

	count atomic.Int64
}

// departure is a stream that has ended.
type departure struct {
	past
	ended        time.Time
	reason       Reason
	want, grants *topics.Set
	reached      uint64
	cost         int
}

func newDeparted(most int) *departed {
	if most <= 0 {
		return nil
	}
	return &departed{most: most}
}

// remembered returns how many streams are.
func (d *departed) remembered() int {
	if d == nil {
		return 0
	}
	return int(d.count.Load())
}

// add remembers a subscriber that has ended, in place of the oldest if there is no room.
func (d *departed) add(m leave) {
	if d == nil {
		return
	}
	s := m.s
	cost := departedCost + setCost(s.want) + setCost(s.grants)
	bound := d.most * departedBudget
	if cost > bound {
		return
	}
	if d.ring == nil {
		d.ring = make([]departure, d.most)
	}
	for d.remembered() == d.most || d.bytes+cost > bound {
		d.forget()
	}
	d.ring[(d.oldest+d.remembered())%d.most] = departure{
		past: s.past, ended: m.at.Round(0), reason: m.reason, want: s.want, grants: s.grants, reached: s.cursor, cost: cost,
	}
	d.bytes += cost
	d.count.Add(1)
}

func (d *departed) forget() {
	d.bytes -= d.ring[d.oldest].cost
	d.ring[d.oldest] = departure{}
	d.oldest = (d.oldest + 1) % d.most
	d.count.Add(-1)
}

// find returns what is remembered of a stream, or nil.
func (d *departed) find(id StreamID) *departure {
	for i := range d.remembered() {
		if one := &d.ring[(d.oldest+i)%d.most]; one.id == id {
			return one
		}
	}
	return nil
}

// newest returns up to so many streams, the one that ended last first.
func (d *departed) newest(most int) []departure {
	var all []departure
	for i := d.remembered() - 1; i >= 0 && len(all) < most; i-- {
		all = append(all, d.ring[(d.oldest+i)%d.most])
	}
	return all
}

// setCost is what a set of matchers is counted as. Streams share the selectors of equal matchers, so this is the most.
func setCost(set *topics.Set) int {
	cost := 0
	for _, sel := range set.Selectors() {
		cost += 256 + 4*len(sel.Matcher().Pattern)
	}
	return cost
}

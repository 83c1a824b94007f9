package actors

import (
	"fmt"
	"time"

	"hubd/mercure"
	"hubd/topics"
)

// Outcome says what became of an event on a stream.
type Outcome string

// The outcomes, in the order in which they are looked for.
const (
	// UnknownStream is a stream that this hub does not have and does not remember, or that the asker may not know of.
	UnknownStream Outcome = "unknown_stream"
	// UnknownEvent is an event that is not retained, or that the asker may not know of.
	UnknownEvent Outcome = "unknown_event"
	// NotSelected is an event of which no topic is selected by a matcher of the stream.
	NotSelected Outcome = "not_selected"
	// NotGranted is a private event of which the stream's token grants no topic.
	NotGranted Outcome = "not_granted"
	// BeforeCursor is an event that the stream began after.
	BeforeCursor Outcome = "before_cursor"
	// Delivered is an event that the stream's socket has taken.
	Delivered Outcome = "delivered"
	// Ended is an event that the stream had not got when it ended.
	Ended Outcome = "ended"
	// Waiting is an event that the stream gets next.
	Waiting Outcome = "waiting"
	// Unaccounted is an event that the stream should have got and that does not wait for it: a defect of the hub.
	Unaccounted Outcome = "unaccounted"
)

const (
	textUnknownStream = "No stream with this id is known here: there was none, or it ended so long ago that it is forgotten (--ended-streams), " +
		"or it is or was on another node or an earlier process of the hub. Nor is one that the token may not know of."
	textUnknownEvent = "No update with this id is retained: it was never stored, or retention has removed it. " +
		"Nor is a private one shown to a token that grants none of its topics."
)

// Explanation is what became of an event on a stream. As JSON it is the answer of the hub's addresses; times are
// RFC 3339.
type Explanation struct {
	Outcome Outcome `json:"outcome"`
	// Text is the answer in a sentence or two.
	Text   string `json:"text"`
	Stream string `json:"subscriber"`
	Event  string `json:"event"`

	About    *ExplainedStream   `json:"stream,omitempty"`
	Update   *ExplainedUpdate   `json:"update,omitempty"`
	Delivery *ExplainedDelivery `json:"delivery,omitempty"`
	Waiting  *ExplainedWait     `json:"waiting,omitempty"`
}

// ExplainedStream is what is said of a stream.
type ExplainedStream struct {
	Opened   time.Time          `json:"opened"`
	Ended    time.Time          `json:"ended,omitzero"`
	Reason   string             `json:"reason,omitempty"`
	Matchers []ExplainedMatcher `json:"matchers"`
	// Grants are what the stream's token grants, for the operator alone.
	Grants []ExplainedMatcher `json:"grants,omitempty"`
}

// ExplainedMatcher is a matcher in the words of the subscription API: of 1.0 a type and an expression, of 0.x a topic.
type ExplainedMatcher struct {
	MatchType string `json:"match_type,omitempty"`
	Match     string `json:"match,omitempty"`
	Topic     string `json:"topic,omitempty"`
}

// ExplainedUpdate is what is said of an event.
type ExplainedUpdate struct {
	Topics  []string  `json:"topics"`
	Private bool      `json:"private"`
	Stored  time.Time `json:"stored"`
}

// ExplainedDelivery says when the socket took an event: between the two times. FannedOut is when the hub began to hand it
// to its streams, measured once for all updates of a round; zero if that is not known any more.
type ExplainedDelivery struct {
	// By is "live", "history", or "live or history" for a stream that was slow in between.
	By        string    `json:"by"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	FannedOut time.Time `json:"fanned_out,omitzero"`
}

// ExplainedWait says what an event waits for.
type ExplainedWait struct {
	// For is "fan-out" (the hub is behind its log), "queue" (the socket is slow) or "history" (the stream reads its way to
	// the event).
	For string `json:"for"`
	// QueuedBytes are the bytes that wait for the stream in memory.
	QueuedBytes int64     `json:"queued_bytes"`
	Since       time.Time `json:"since"`
	// SocketFull is since when the client has taken nothing, if it takes nothing.
	SocketFull time.Time `json:"socket_full,omitzero"`
}

func (x *Explanation) conclude(o Outcome, format string, args ...any) {
	x.Outcome, x.Text = o, fmt.Sprintf(format, args...)
}

func (x *Explanation) describe(i *inspection, operator bool) {
	x.About = &ExplainedStream{Opened: i.openedAt(), Matchers: explainMatchers(i.want)}
	if i.over {
		x.About.Ended, x.About.Reason = i.ended, i.reason.String()
	}
	if operator {
		x.About.Grants = explainMatchers(i.grants)
	}
}

func explainMatchers(set *topics.Set) []ExplainedMatcher {
	var all []ExplainedMatcher
	for _, sel := range set.Selectors() {
		m := sel.Matcher()
		if m.Type == mercure.Template {
			all = append(all, ExplainedMatcher{Topic: m.Pattern})
		} else {
			all = append(all, ExplainedMatcher{MatchType: m.Type.String(), Match: m.Pattern})
		}
	}
	return all
}

// clock is how times stand in texts: exact to the millisecond, as clients and logs have them.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 MST") }

// judge finds the outcome.
func (x *Explanation) judge(i *inspection, e *mercure.Event, now time.Time) {
	switch {
	case !i.want.MatchAny(e.Topics):
		x.conclude(NotSelected, "No matcher of the stream selects a topic of the update.")
	case !may(i.grants, e):
		x.conclude(NotGranted, "The update is private, and the token of the stream grants none of its topics.")
	case e.Position <= i.begun:
		x.beforeCursor(i)
	case e.Position <= i.reached:
		x.delivered(i, e, now)
	case i.over:
		x.conclude(Ended, "The stream ended at %s (%s), before it had got the update. Its client gets it when it resumes from its last event id.",
			clock(i.ended), i.reason)
	default:
		x.waits(i, e)
	}
}

func (x *Explanation) beforeCursor(i *inspection) {
	switch {
	case i.continued:
		x.conclude(BeforeCursor, "The update comes before the place where this process took the stream over from the one before it, which delivered it if the stream had not begun later still.")
	case i.begun == i.liveFrom:
		x.conclude(BeforeCursor, "The stream was opened at %s without a cursor that is older than the update, and a stream gets only what comes after it began.", clock(i.openedAt()))
	default:
		x.conclude(BeforeCursor, "The stream was opened at %s with a cursor that is the update, or comes after it, and a stream gets only what comes after its cursor.", clock(i.openedAt()))
	}
}

// delivered says when. A stream keeps no time for each event, which would cost memory in every stream and time on every
// delivery; what bounds the time is known.
func (x *Explanation) delivered(i *inspection, e *mercure.Event, now time.Time) {
	d := &ExplainedDelivery{By: "live", NotBefore: e.Time, NotAfter: now, FannedOut: i.fanned}
	switch {
	case i.over:
		d.NotAfter = i.ended
	case i.idle:
		d.NotAfter = i.lastWrite
	}
	switch {
	case i.liveAfter != 0 && e.Position > i.liveFrom:
		if !i.fanned.IsZero() {
			d.NotBefore = i.fanned
		}
	case i.overflowed:
		d.By = "live or history"
	default:
		d.By, d.FannedOut = "history", time.Time{}
		if i.openedAt().After(d.NotBefore) {
			d.NotBefore = i.openedAt()
		}
		if since := i.liveSince(); !since.IsZero() && since.Before(d.NotAfter) {
			d.NotAfter = since
		}
	}
	if d.NotAfter.Before(d.NotBefore) {
		d.NotAfter = now // the system's clock was set back
	}
	x.Delivery = d
	if d.By == "live" && !d.FannedOut.IsZero() {
		x.conclude(Delivered, "The hub handed the update to its streams from %s on, and the socket of this one had taken it by %s. Whether the client has read it the hub cannot know.",
			clock(d.FannedOut), clock(d.NotAfter))
		return
	}
	x.conclude(Delivered, "The stream's socket took the update (%s) between %s and %s. Whether the client has read it the hub cannot know.", d.By, clock(d.NotBefore), clock(d.NotAfter))
}

func (x *Explanation) waits(i *inspection, e *mercure.Event) {
	w := &ExplainedWait{QueuedBytes: i.queued, Since: e.Time, SocketFull: i.stalled}
	switch {
	case i.waits:
		w.For = "queue"
		if !i.fanned.IsZero() {
			w.Since = i.fanned
		}
	case e.Position > i.dispatched:
		w.For = "fan-out"
	case !i.live || e.Position <= i.liveFrom:
		w.For = "history"
		if i.openedAt().After(w.Since) {
			w.Since = i.openedAt()
		}
	default:
		x.conclude(Unaccounted, "The stream should have got the update, and it does not wait for it. This is a defect of the hub: report it with this answer.")
		return
	}
	x.Waiting = w
	x.conclude(Waiting, "The update waits for the stream (%s) since %s, with %d bytes queued.", w.For, clock(w.Since), w.QueuedBytes)
	if !w.SocketFull.IsZero() {
		x.Text += " The socket is full since " + clock(w.SocketFull) + ": the client does not read."
	}
}

package actors

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hubd/mercure"
)

// A released stream goes on where it was at another hub on the same log: nothing is written twice, nothing is
// missing, and nobody hears that its subscriptions ended and began.
func TestReleasedStreamsGoOnAtAnotherHub(t *testing.T) {
	t.Parallel()
	old := newRig(t)
	ends := time.Now().Add(time.Hour)
	p := newPipe()
	o, err := old.Prepare([]mercure.Matcher{{Type: mercure.Template, Pattern: "*"}})
	if err != nil {
		t.Fatal(err)
	}
	o.Conn, o.Prelude, o.Ends, o.Expires = p, []byte(simPrelude), ends, ends
	o.Subscriptions = []mercure.Subscription{{Matcher: mercure.Matcher{Pattern: "*"}, Subscriber: "urn:uuid:subscriber"}}
	if err := old.Subscribe(o); err != nil {
		t.Fatal(err)
	}
	p.next(t)
	old.publish(t, "topic", "before")
	for !strings.Contains(p.next(t), "before") {
	}

	released := old.Release(t.Context())
	if len(released) != 1 || old.stats.Ended(ReasonHandover) != 1 || old.stats.Connected() != 0 {
		t.Fatalf("%d streams released, %d ended by handover, %d connected", len(released), old.stats.Ended(ReasonHandover), old.stats.Connected())
	}
	if r := released[0]; !r.Ends.Equal(ends) || !r.Expires.Equal(ends) || len(r.Subscriptions) != 1 || r.Prelude != nil {
		t.Fatalf("the stream's limits or subscriptions were lost: %+v", r)
	}
	select {
	case <-p.closed:
		t.Fatal("the connection was closed")
	default:
	}
	if err := old.Subscribe(o); err == nil {
		t.Fatal("a hub that has released its streams takes another")
	}
	old.Stop()
	if _, err := old.log.Append([]*mercure.Event{mercure.NewEvent(&mercure.Update{Topics: []string{"topic"}, Data: "between"})}); err != nil {
		t.Fatal(err)
	}

	next := newRigOn(t, old.log, Options{})
	if err := next.Subscribe(released[0]); err != nil {
		t.Fatal(err)
	}
	next.publish(t, "topic", "after")
	var text strings.Builder
	for !strings.Contains(text.String(), "after") {
		text.WriteString(p.next(t))
	}
	if got := text.String(); strings.Contains(got, "before") || strings.Count(got, "between") != 1 || strings.Contains(got, "urn:uuid:subscriber") {
		t.Errorf("the stream went on with %q", got)
	}
	if active, err := next.Subscriptions(); err != nil || len(active) != 1 {
		t.Errorf("subscriptions at the next hub: %v, %v", active, err)
	}
}

// Streams that come while others are released are released too or refused, never left open.
func TestReleaseLeavesNoStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	accepted := make(chan *pipe, 1000)
	go func() {
		defer close(accepted)
		for i := range 1000 {
			p := newPipe()
			o, err := r.Prepare([]mercure.Matcher{{Type: mercure.Template, Pattern: fmt.Sprint("topic ", i%7)}})
			if err != nil {
				t.Error(err)
				return
			}
			o.Conn, o.Prelude = p, []byte(simPrelude)
			if r.Subscribe(o) != nil {
				return
			}
			accepted <- p
		}
	}()
	<-accepted
	released := r.Release(t.Context())
	n := 1
	for range accepted {
		n++
	}
	if len(released) != n || r.stats.Connected() != 0 {
		t.Errorf("%d of %d streams released, %d left", len(released), n, r.stats.Connected())
	}
}

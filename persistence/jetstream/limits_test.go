package jetstream

import (
	"strings"
	"testing"

	"hubd/mercure"
	"hubd/persistence"
	"hubd/persistence/logtest"
)

// An event as large as Limits allows is stored, and the server would not take one a little larger.
func TestLimits(t *testing.T) {
	t.Parallel()
	log, err := newPlace(t).Open(logtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	most := log.(persistence.Limited).Limits().EventBytes
	sized := func(n int) *mercure.Event {
		empty := mercure.NewEvent(&mercure.Update{Topics: []string{"t"}, Data: "x"})
		return mercure.NewEvent(&mercure.Update{Topics: []string{"t"}, Data: strings.Repeat("x", n-persistence.RecordCap(empty)+1)})
	}
	largest := sized(most)
	if n := persistence.RecordCap(largest); n != most {
		t.Fatalf("the event takes %d bytes, want %d", n, most)
	}
	if _, err := log.Append([]*mercure.Event{largest}); err != nil {
		t.Errorf("append of the largest event: %v", err)
	}
	if _, err := log.Append([]*mercure.Event{sized(most + 2*headRoom)}); err == nil {
		t.Error("a larger event is stored: the limit is too low")
	}
	if _, err := log.Append([]*mercure.Event{sized(10_000)}); err != nil {
		t.Errorf("append afterwards: %v", err)
	}
}

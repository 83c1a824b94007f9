package persistence

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"

	"hubd/mercure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newSystem returns an actor system that logs nothing and ends with the test.
func newSystem(t testing.TB) *actor.ActorSystem {
	quiet := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
	system := actor.NewActorSystem(actor.WithLoggerFactory(quiet))
	t.Cleanup(system.Shutdown)
	return system
}

// newEvent returns an event that is not placed yet, with a frame of at least size bytes.
func newEvent(size int) *mercure.Event {
	return mercure.NewEvent(&mercure.Update{Topics: []string{"t"}, Data: strings.Repeat("d", size)})
}

// placed returns n events that follow the position.
func placed(after uint64, n, size int) []*mercure.Event {
	events := make([]*mercure.Event, n)
	for i := range events {
		events[i] = newEvent(size)
		position := after + uint64(i) + 1
		events[i].Place(position, time.Unix(int64(position), 0), fmt.Appendf(nil, "%0*d", mercure.IDLen, position))
	}
	return events
}

package actors

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// NewSystem returns an actor system that reports what goes wrong to the logger and is silent otherwise.
func NewSystem(logger *slog.Logger) *actor.ActorSystem {
	quiet := slog.New(&warnings{logger.Handler()})
	system := actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }),
		// A message may be on its way to a subscriber that has just ended; that is nothing to report.
		actor.WithDeadLetterRequestLogging(false),
		actor.WithDeadLetterThrottleCount(0),
		// Each report that is held back would keep a goroutine for this long.
		actor.WithDeadLetterThrottleInterval(time.Nanosecond),
	)
	shrink(system.ProcessRegistry.LocalPIDs)
	return system
}

// registryParts is how many maps the registry of processes is spread over, of 32 maps with a lock each.
const registryParts = 4

// shrink leaves so many parts of the registry. It has 1,024, which are 2.8 MB when they are empty, and with ten thousand actors
// each of 32,768 maps holds less than one, at a quarter of a kilobyte.
func shrink(registry *actor.SliceMap) {
	all := registry.LocalPIDs
	registry.LocalPIDs = slices.Clone(all[:registryParts])
	for _, part := range all {
		if part.IsEmpty() {
			continue
		}
		for id, process := range part.Items() { // which takes 32 goroutines
			part.Remove(id) // ahead of its return, which may be to this part
			registry.GetBucket(id).Set(id, process)
		}
	}
}

// warnings passes on warnings and errors.
type warnings struct{ slog.Handler }

func (h *warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

func (h *warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &warnings{h.Handler.WithAttrs(attrs)}
}
func (h *warnings) WithGroup(name string) slog.Handler { return &warnings{h.Handler.WithGroup(name)} }

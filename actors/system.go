package actors

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// NewSystem returns an actor system that reports what goes wrong to the logger and is silent otherwise.
func NewSystem(logger *slog.Logger) *actor.ActorSystem {
	quiet := slog.New(&warnings{logger.Handler()})
	return actor.NewActorSystem(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }),
		// A message may be on its way to a subscriber that has just ended; that is nothing to report.
		actor.WithDeadLetterRequestLogging(false),
		actor.WithDeadLetterThrottleCount(0),
		// Each report that is held back would keep a goroutine for this long.
		actor.WithDeadLetterThrottleInterval(time.Nanosecond),
	)
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

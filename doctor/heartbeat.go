package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// shortIdle is the shortest time-out that clouds and proxies are known to come with for a connection that is idle.
const shortIdle = 30 * time.Second

// heartbeat waits for the comment that the hub sends on a silent stream, or for a proxy to end the stream before it.
// It closes the stream.
func (x *examination) heartbeat(ctx context.Context, s *stream) {
	if s == nil {
		x.add("heartbeat", Skipped, "there is no stream to watch", "")
		return
	}
	defer s.close()
	if x.o.Watch < 0 {
		x.add("heartbeat", Skipped, "not watched", "")
		return
	}
	// What came while other checks ran is passed over: the silence is counted from the last line.
	last := s.drain()
	n, err := s.await(ctx, max(0, x.o.Watch-x.o.Now().Sub(last)), isComment)
	silence := n.at.Sub(last).Round(100 * time.Millisecond)
	switch {
	case errors.Is(err, errSilent):
		x.add("heartbeat", Warning, fmt.Sprintf("nothing came on a silent stream for %s, and it stayed open", x.o.Watch), "set --heartbeat at the hub below half of every idle time-out on the way, or watch for longer with --watch")
	case err != nil && ctx.Err() != nil:
		x.add("heartbeat", Skipped, "interrupted", "")
	case err != nil:
		x.add("heartbeat", Failure, fmt.Sprintf("a silent stream was ended after %s, before a heartbeat came", silence), fmt.Sprintf("a proxy's idle time-out is shorter than the hub's heartbeat: set --heartbeat=%s at the hub, or raise the time-out", (silence/2).Round(100*time.Millisecond)))
	case silence > shortIdle:
		x.add("heartbeat", Warning, fmt.Sprintf("a heartbeat after %s of silence", silence), fmt.Sprintf("some proxies end what is idle for %s: set --heartbeat=15s at the hub", shortIdle))
	default:
		x.add("heartbeat", OK, fmt.Sprintf("a heartbeat after %s of silence", silence), "")
	}
}

// drain takes what has come and returns when the last of it came. An end is put back.
func (s *stream) drain() time.Time {
	last := s.last
	for {
		select {
		case n := <-s.notes:
			if n.kind == ended {
				s.notes <- n
				return last
			}
			last = n.at
		default:
			return last
		}
	}
}

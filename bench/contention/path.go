package contention

import "strings"

// path returns the beginnings of the names of the functions that are on the path.
func path() []string {
	return []string{
		"hubd/actors.",
		"hubd/topics.",
		"hubd/persistence.(*Ring).",
		"hubd/persistence.(*Feed).",
		"hubd/persistence.(*tail).",
		"hubd/sse.(*stream).",
		"hubd/sse.(*poller).",
	}
}

// rest returns the functions whose own waits for a channel are no contention.
func rest() []string {
	return []string{
		"hubd/actors.(*worker).work",       // a worker waits for its next turn
		"hubd/persistence.(*Store).Append", // a publisher waits for its commit
		"hubd/actors.(*gate).pass",         // a publisher waits until the fan-out has caught up
	}
}

// beside returns functions of the path's packages below which nothing is on it.
func beside() []string {
	return []string{
		"hubd/actors.(*replayer).work", // reads history for streams that are behind
		"hubd/actors.(*replayer).request",
		"hubd/actors.(*announcer).run", // publishes the events of subscriptions
		"hubd/actors.(*Hub).tick",      // turns the wheel of deadlines
	}
}

// onPath returns the innermost function of a stack that is on the path, or nothing. The stack begins with
// its innermost function.
func onPath(stack []string) string {
	place := ""
	for _, f := range stack {
		if begins(f, beside()) {
			return ""
		}
		if place == "" && begins(f, path()) {
			place = f
		}
	}
	if place == "" || rests(stack) {
		return ""
	}
	return place
}

// rests reports whether a function of rest waits itself: for a channel, since a lock is waited for in package sync.
func rests(stack []string) bool {
	for _, f := range stack {
		if !strings.HasPrefix(f, "runtime.") {
			return begins(f, rest())
		}
	}
	return false
}

// isLock reports whether a function takes or gives back a lock.
func isLock(f string) bool {
	f = strings.TrimPrefix(f, "internal/")
	return strings.HasPrefix(f, "sync.(*Mutex).") || strings.HasPrefix(f, "sync.(*RWMutex).")
}

func begins(f string, names []string) bool {
	for _, name := range names {
		if strings.HasPrefix(f, name) {
			return true
		}
	}
	return false
}

// Package pprof is the admin server: liveness and readiness probes, metrics and profiles, on an address
// of its own that is not for the public. It takes no token, so whoever reaches it can read profiles and
// make the process spend time on them.
//
//	/               links to the rest
//	/livez          200 while the process answers
//	/readyz         200, or 503 with the reason
//	/metrics        Prometheus text format
//	/debug/pprof/   profiles for "go tool pprof" and "go tool trace"
//
// The command line is not among the profiles: flags can hold secrets. Nothing is registered with
// net/http's default mux, which importing net/http/pprof would do.
//
// One goroutine accepts; fasthttp runs one for each connection that has a request under way, and a
// trace adds one that writes it. Stop ends and joins these; timed profiles end early when it is called. What
// stays is fasthttp's sweeper of idle workers, which holds nothing and ends within 10 seconds.
package pprof

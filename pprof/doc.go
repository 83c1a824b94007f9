// Package pprof is the admin server: liveness and readiness probes, metrics and profiles, on an address
// of its own that is not for the public. It takes no token, so whoever reaches it can read profiles and
// make the process spend time on them.
//
//	/               dashboard: the last hour in charts, snapshots of profiles, what is between two of them
//	/dashboard/     its files and what it asks for, see dashboard.routes
//	/livez          200 while the process answers
//	/readyz         200, or 503 with the reason
//	/metrics        Prometheus text format
//	Options.Answers what the hub has to say, as JSON
//	/debug/pprof/   profiles for "go tool pprof" and "go tool trace"
//
// The dashboard is files of the folder pages, written by hand, without a build step and without code of others; its
// Content-Security-Policy lets it load and ask nothing but this server. Names of functions are untrusted text to it.
// Numbers come from a Recorder, which also runs without the server: it looks at the hub and the process every 2.5 s,
// keeps 66 KB of history, and has a watchdog write profiles when goroutines or heap leave their Band. At most 16
// snapshots of 16 MiB together are kept for comparing, and one comparison is made at a time.
//
// A page of another site can make its visitor's browser ask this server, by a name of the site that it lets stand for 127.0.0.1
// (DNS rebinding). So a server that listens on loopback answers only requests whose Host is an address, localhost, or a name
// that was configured.
//
// The command line is not among the profiles: flags can hold secrets. Nothing is registered with
// net/http's default mux, which importing net/http/pprof would do.
//
// One goroutine belongs to the Recorder, between its Start and Stop. One goroutine of the server accepts; fasthttp
// runs one for each connection that has a request under way, and a trace adds one that writes it. Stop ends and joins these; timed profiles end early when it is called. What
// stays is fasthttp's sweeper of idle workers, which holds nothing and ends within 10 seconds.
package pprof

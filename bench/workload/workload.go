//go:build linux

package workload

import (
	"context"
	"time"

	"hubd/bench/result"
	"hubd/bench/target"
)

// Workload is a load with a name.
type Workload struct {
	Name  string
	Title string
	// Default are the parameters that are not given otherwise.
	Default result.Params
	// Often is how many runs are made for each that is asked for, once if zero: more where two targets are held against each
	// other on a machine whose speed changes from run to run.
	Often int
	// Steps are numbers of streams to run it with, one after the other, instead of Default.Streams.
	Steps []int
	// Bare and Nchan tell whether the bare loop and Nchan can do it too.
	Bare  bool
	Nchan bool
	// Engines tells that it is run against the hub's own store and against hubs on every engine.
	Engines bool
	// Local names what is measured within the load program, without any server, instead of targets.
	Local []string
	// Profiles tells that it reads the hub's profiles, which stand beside its metrics.
	Profiles bool
	// Restarts tells that it ends the hub and starts it again.
	Restarts bool
	// Needs says what is missing on this machine, such as a proxy; nil when nothing ever is.
	Needs func() error
	// HubFlags are what the hub needs for it besides its defaults.
	HubFlags []string

	run func(ctx context.Context, s *session) error
	// stall is how long a run waits for the next event before it has failed; 0 is stallLimit.
	stall time.Duration
}

const (
	streams     = 10_000
	payload     = 128
	concurrency = 256
	retention   = 100_000 // the hub's default
)

// with returns the usual parameters, changed.
func with(change func(p *result.Params)) result.Params {
	p := result.Params{Streams: streams, Payload: payload, Concurrency: concurrency}
	change(&p)
	return p
}

// All returns the workloads in the order in which they are run and reported.
func All() []Workload {
	return append(alone(), others()...)
}

// alone are the workloads of one hub by itself.
func alone() []Workload {
	return []Workload{
		{
			Name: "idle", Title: "Memory of idle streams", Bare: true, Nchan: true, run: idle,
			Default: with(func(p *result.Params) { p.Settle = 25 }), // fasthttp's idle workers are gone by then
		}, {
			Name: "connect", Title: "Connecting streams", Bare: true, Nchan: true, Often: 3, run: connect, Default: with(func(*result.Params) {}),
		}, {
			Name: "fanout-paced", Title: "Fan-out at 5 publishes a second", Bare: true, Nchan: true, Often: 3, run: fanout,
			Default: with(func(p *result.Params) { p.Publishers, p.Rate, p.Seconds = 1, 5, 10 }),
		}, {
			Name: "fanout-saturated", Title: "Fan-out as fast as publishes go", Bare: true, Nchan: true, run: fanout,
			Default: with(func(p *result.Params) { p.Publishers, p.Count, p.Seconds = 64, 3000, 10 }),
		}, {
			Name: "fanout-sustained", Title: "Fan-out with a bounded backlog", run: fanout,
			Default: with(func(p *result.Params) { p.Publishers, p.Window, p.Seconds = 64, 1000, 10 }),
		}, {
			Name: "contention", Title: "Waiting on the way from the log to the sockets", Profiles: true, run: contended,
			Default: with(func(p *result.Params) { p.Publishers, p.Window, p.Seconds = 64, 1000, 5 }),
		}, {
			Name: "publish", Title: "Durable publishes without a subscriber", Bare: true, run: publish,
			Default: with(func(p *result.Params) {
				p.Streams, p.Publishers, p.Seconds, p.Retention = 0, 256, 10, retention
			}),
		}, {
			Name: "topics", Title: "One topic for each stream", Nchan: true, run: topics,
			Default: with(func(p *result.Params) { p.Publishers, p.Seconds = 256, 10 }),
		}, {
			Name: "patterns", Title: "One pattern for each stream, topics never seen before", run: patterns,
			Default: with(func(p *result.Params) { p.Publishers, p.Seconds = 256, 10 }),
		}, {
			Name: "private", Title: "Private updates, one granted reader each, all subscribed to all", run: private,
			Default: with(func(p *result.Params) { p.Publishers, p.Seconds = 64, 10 }),
		}, {
			Name: "reconnect", Title: "All streams reconnect and catch up", run: reconnect,
			Default: with(func(p *result.Params) { p.Publishers, p.Missing = 8, 100 }),
		}, {
			Name: "storm", Title: "Live delivery while others reconnect and catch up", run: storm,
			Default: with(func(p *result.Params) {
				p.Publishers, p.Missing, p.Staying, p.Rate, p.Seconds = 8, 100, 500, 50, 5
			}),
		}, {
			Name: "storm-restart", Title: "The hub restarts and all streams come back", run: stormRestart, Restarts: true,
			Default:  with(func(p *result.Params) { p.Publishers, p.Missing = 8, 100 }),
			HubFlags: []string{"--drain=2s"},
		}, {
			Name: "replay", Title: "The whole history in one stream", run: replay,
			Default: with(func(p *result.Params) {
				p.Streams, p.Publishers, p.Count, p.Retention = 1, 256, retention, retention
			}),
		}, {
			Name: "growth", Title: "Cost against the number of streams", run: growth, Steps: []int{1000, 5000, 10_000, 15_000},
			Default: with(func(p *result.Params) { p.Publishers, p.Rate, p.Seconds, p.Settle = 1, 5, 10, 5 }),
		}, {
			Name: "churn", Title: "Small topics with streams that come and go", run: churn,
			Default: with(func(p *result.Params) {
				p.Publishers, p.Rate, p.Seconds, p.Churn, p.Topics, p.Settle = 8, 500, 20, 100, 2000, leaveLimit.Seconds()
			}),
		}, {
			Name: "slow", Title: "A tenth of the streams reads slowly", run: slow,
			Default: with(func(p *result.Params) {
				p.Streams, p.Publishers, p.Rate, p.Seconds, p.Payload, p.SlowShare = 1000, 32, 500, 10, 1024, 0.1
			}),
		},
	}
}

// others are those in which something besides the hub takes part.
func others() []Workload {
	return []Workload{
		{
			Name: "engines-publish", Title: "Durable publishes with each store", run: publish, Engines: true,
			Default: with(func(p *result.Params) {
				p.Streams, p.Publishers, p.Seconds, p.Retention = 0, 64, 5, retention
			}),
		}, {
			Name: "engines-alone", Title: "One publisher with each store", run: publish, Engines: true,
			Default: with(func(p *result.Params) {
				p.Streams, p.Publishers, p.Seconds, p.Retention = 0, 1, 3, retention
			}),
		}, {
			Name: "engines-fanout", Title: "Fan-out with each store, streams shared among the nodes", run: fanout, Engines: true,
			Default: with(func(p *result.Params) { p.Streams, p.Publishers, p.Rate, p.Seconds = 9000, 3, 5, 10 }),
		}, {
			Name: "tls-proxy", Title: "Streams through a proxy that ends TLS", run: proxied, Needs: target.FindNginx,
			Default: with(func(p *result.Params) { p.Streams, p.Publishers, p.Rate, p.Seconds = 1000, 1, 10, 10 }),
		}, {
			Name: "selector-cache", Title: "Hit rate of the selector cache", run: selectorCache,
			Local:   []string{lruName, equalLRUName, selectorCacheName},
			Default: result.Params{Count: 300_000, CacheBytes: 8 << 20},
		},
	}
}

// Quick scales parameters down, so that all workloads take about a minute.
func Quick(p result.Params) result.Params {
	if p.Streams > 1 {
		p.Streams = max(p.Streams/10, 100)
	}
	p.Seconds = min(p.Seconds, 0.5)
	p.Settle = min(p.Settle, 0.3)
	p.Topics /= 10
	p.Staying /= 10
	p.Churn /= 2
	p.Count /= 5
	p.Window /= 5
	return p
}

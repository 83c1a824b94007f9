//go:build linux

package workload

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hubd/auth"
	"hubd/bench/fakehub"
	"hubd/bench/ledger"
	"hubd/bench/result"
	"hubd/bench/target"
)

// at returns the fake hub at an address as a target.
func at(t *testing.T, addr netip.AddrPort) *target.Target {
	t.Helper()
	key := strings.Repeat("k", 32)
	hub, err := target.Remote(t.Context(), target.RemoteOptions{
		Keys: target.Keys{Dialect: auth.V0, Publisher: key, Subscriber: key}, URL: "http://" + addr.String() + "/hub", Run: "r",
	})
	if err != nil {
		t.Fatal(err)
	}
	return hub
}

// watched returns a target that has metrics and profiles: the fake hub's pages.
func watched(t *testing.T, hub *fakehub.Hub) *target.Target {
	t.Helper()
	target := at(t, hub.Start(t))
	target.Metrics = "http://" + target.Addr.String() + "/metrics"
	return target
}

// restartable returns the fake hub as a target that can be restarted.
func restartable(t *testing.T, hub *fakehub.Hub) *target.Target {
	t.Helper()
	target := at(t, hub.Start(t))
	target.Again = func(context.Context) error {
		hub.Restart()
		return nil
	}
	return target
}

// named returns a workload.
func named(t *testing.T, name string) Workload {
	t.Helper()
	for _, w := range All() {
		if w.Name == name {
			return w
		}
	}
	t.Fatalf("there is no workload %s", name)
	return Workload{}
}

// tiny scales a workload down to what a test has time for.
func tiny(w *Workload) result.Params {
	p := w.Default
	p.Seconds, p.Settle = min(p.Seconds, 0.3), min(p.Settle, 0.05)
	p.Streams = min(p.Streams, 30)
	if len(w.Steps) > 0 {
		p.Streams = 10
	}
	p.Publishers = min(p.Publishers, 4)
	p.Count = min(p.Count, 60)
	p.Window = min(p.Window, 10)
	p.Missing = min(p.Missing, 20)
	p.Staying = min(p.Staying, 10)
	p.Topics = min(p.Topics, 6)
	p.Rate = min(p.Rate, 100)
	return p
}

// figures are what each workload must at least have measured against a hub that it knows nothing of.
func figures(name string) []string {
	return map[string][]string{
		"idle":             {result.ConnectTime},
		"connect":          {result.ConnectTime},
		"fanout-paced":     {result.LatencyP99, result.Deliveries, result.ReaderPerDelivery},
		"fanout-saturated": {result.DeliveriesPerSec},
		"fanout-sustained": {result.DeliveriesPerSec},
		"publish":          {result.PublishesPerSec, result.PublishP99},
		"topics":           {result.PublishesPerSec, result.LatencyP99},
		"patterns":         {result.PublishesPerSec},
		"reconnect":        {result.EventsPerSec},
		"storm":            {result.EventsPerSec, result.CatchUpTime, result.LatencyBeforeP99, result.LatencyP99},
		"storm-restart":    {result.CatchUpTime, result.RestartTime, result.ToldToReturn},
		"replay":           {result.Replayed, result.EventsPerSec},
		"growth":           {result.LatencyP99},
		"engines-publish":  {result.Publishes, result.PublishP99},
		"engines-alone":    {result.Publishes, result.PublishP50},
		"engines-fanout":   {result.LatencyP99, result.Deliveries},
		"churn":            {result.Deliveries, result.Reconnects},
		"slow":             {result.Deliveries, result.SlowLatencyP99},
		"tls-proxy":        {result.LatencyP99, result.Deliveries, result.ProxyPerDelivery, result.ProxyRSS},
	}[name]
}

func TestWorkloadsPassOnAHubThatIsRight(t *testing.T) {
	t.Parallel()
	for _, w := range All() {
		if w.Name == "private" || w.Profiles || len(w.Local) > 0 {
			continue // the fake hub has no grants, and no profiles unless it is given some
		}
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			if w.Needs != nil && w.Needs() != nil {
				t.Skip(w.Needs())
			}
			r, err := w.Run(t.Context(), restartable(t, new(fakehub.Hub)), tiny(&w), 1)
			if err != nil || r.Failure != "" {
				t.Fatal(err)
			}
			for _, name := range figures(w.Name) {
				if r.Figures[name] <= 0 {
					t.Errorf("%s is %v", name, r.Figures[name])
				}
			}
		})
	}
}

// TestWorkloadsFailOnAHubThatIsWrong has a hub that forgets one event of one stream.
func TestWorkloadsFailOnAHubThatIsWrong(t *testing.T) {
	t.Parallel()
	for _, w := range All() {
		switch w.Name {
		case "idle", "connect", "publish", "engines-publish", "engines-alone", "private", "churn":
			continue // nothing is delivered, or not to a stream that is known beforehand
		}
		if w.Profiles || len(w.Local) > 0 {
			continue
		}
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			if w.Needs != nil && w.Needs() != nil {
				t.Skip(w.Needs())
			}
			turns := 0
			hub := &fakehub.Hub{Tamper: func(stream int, frames []string) []string {
				if stream != 0 {
					return frames
				}
				if turns++; turns == 1 && len(frames) > 1 || turns == 2 {
					return frames[1:]
				}
				return frames
			}}
			w.stall = time.Second
			r, err := w.Run(t.Context(), restartable(t, hub), tiny(&w), 1)
			if !errors.Is(err, ledger.ErrFault) && !errors.Is(err, errStalled) {
				t.Fatalf("%v", err)
			}
			if r.Failure == "" {
				t.Error("the result does not say so")
			}
		})
	}
}

// TestALeakIsFound runs private updates on the fake hub, which sends them to everyone.
func TestALeakIsFound(t *testing.T) {
	t.Parallel()
	w := named(t, "private")
	_, err := w.Run(t.Context(), at(t, new(fakehub.Hub).Start(t)), tiny(&w), 1)
	if !errors.Is(err, ledger.ErrFault) || !strings.Contains(err.Error(), "an update for group") {
		t.Errorf("%v", err)
	}
}

func TestAnInterruptEndsARun(t *testing.T) {
	t.Parallel()
	w := named(t, "fanout-paced")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Run(ctx, at(t, new(fakehub.Hub).Start(t)), tiny(&w), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestAFailureSaysWhyStreamsEnded has a hub that ends streams, which is a fault, and counts its reasons.
func TestAFailureSaysWhyStreamsEnded(t *testing.T) {
	t.Parallel()
	hub := &fakehub.Hub{Cut: 3, Pages: map[string][]byte{"/metrics": []byte(
		"hubd_disconnects_total{reason=\"behind_history\"} 2\nhubd_disconnects_total{reason=\"client\"} 7\n")}}
	w := named(t, "fanout-paced")
	r, err := w.Run(t.Context(), watched(t, hub), tiny(&w), 1)
	if !errors.Is(err, ledger.ErrFault) || !strings.Contains(r.Failure, "the hub ended streams: behind_history 2") {
		t.Errorf("%v", err)
	}
	if r.Disconnects["client"] != 7 || strings.Contains(r.Failure, "client") {
		t.Errorf("%v: %s", r.Disconnects, r.Failure)
	}
}

func TestQuickIsSmaller(t *testing.T) {
	t.Parallel()
	for _, w := range All() {
		p := Quick(w.Default)
		if p.Streams > 1000 || p.Seconds > 0.5 || p.Settle > 0.3 || p.Count > 20_000 && len(w.Local) == 0 {
			t.Errorf("%s: %+v", w.Name, p)
		}
		if w.Default.Publishers > 0 && p.Publishers == 0 || w.Default.Topics > 0 && p.Topics == 0 {
			t.Errorf("%s: %+v", w.Name, p)
		}
	}
}

func TestRoundRobinSharesOut(t *testing.T) {
	t.Parallel()
	const groups, connections = 10, 4
	plan := roundRobin(groups, connections)
	owner := make(map[uint32]int)
	for range 5 {
		for c := range connections {
			g, lane := plan(c)
			if o, ok := owner[g]; ok && o != c || lane != 0 || g >= groups {
				t.Fatalf("connection %d publishes to group %d of %d", c, g, o)
			}
			owner[g] = c
		}
	}
	if len(owner) != groups {
		t.Errorf("%d groups are published to", len(owner))
	}
}

func TestMeasureSyncs(t *testing.T) {
	t.Parallel()
	if n, err := measureSyncs(t.TempDir()); err != nil || n <= 0 {
		t.Errorf("%v, %v", n, err)
	}
}

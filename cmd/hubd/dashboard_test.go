package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hubd/config"
	"hubd/internal/hubtest"
	"hubd/pprof"
)

// The admin page draws what a hub with streams does, and takes and compares snapshots of it.
func TestDashboardShowsARunningHub(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--drain=0s")
	for range 5 {
		p.Subscribe(t, "topic="+enc(topic))
	}
	p.AwaitMetric(t, "mercure_subscribers_connected", "5")
	for n := range 10 {
		p.PublishData(t, topic, fmt.Sprint(n))
	}
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(p.Admin+"/")); err != nil {
		t.Fatal(err)
	}
	const chart = `[...document.querySelectorAll(".chart")].find(c => c.querySelector("h2").textContent === %q)`
	await(ctx, t, `document.getElementById("state").textContent === "ready"`)
	await(ctx, t, fmt.Sprintf(chart+`.querySelector("output").textContent === "5"`, "Streams"))
	await(ctx, t, fmt.Sprintf(chart+`.querySelector("path.line") !== null`, "Goroutines"))
	await(ctx, t, fmt.Sprintf(chart+`.querySelector("output").textContent.endsWith("iB")`, "Live heap"))
	click := func(text string) {
		t.Helper()
		expression := fmt.Sprintf(`[...document.querySelectorAll("#profiles button")].find(b => b.textContent === %q).click()`, text)
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](expression)); err != nil {
			t.Fatalf("clicking %s: %v", text, err)
		}
	}
	for n := range 2 {
		click("Goroutines")
		await(ctx, t, fmt.Sprintf(`document.querySelectorAll("#snapshots tbody tr").length === %d`, n+1))
	}
	click("Compare")
	await(ctx, t, `document.querySelectorAll("#flame rect").length > 5 && document.querySelectorAll("#functions tbody tr").length > 5`)
	await(ctx, t, `document.querySelector("#functions thead").textContent.includes("Cumulative Δ")`)
	await(ctx, t, `document.documentElement.scrollWidth <= innerWidth`)
}

// What the page draws is what the hub counts.
func TestNumbersOfTheDashboard(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous", "--drain=0s")
	stream := p.Subscribe(t, "topic="+enc(topic))
	p.PublishData(t, topic, "1")
	stream.Expect(t, "1")
	deadline := time.Now().Add(hubtest.Patience)
	for {
		answer := hubtest.Do(t, http.MethodGet, p.Admin+"/dashboard/samples", "")
		var samples struct {
			Fine struct{ Series map[string]json.RawMessage }
		}
		if err := json.Unmarshal([]byte(answer.Body), &samples); err != nil {
			t.Fatal(err)
		}
		peak := func(name string) (most float64) {
			var values []*float64
			if err := json.Unmarshal(samples.Fine.Series[name], &values); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, v := range values {
				if v != nil {
					most = max(most, *v)
				}
			}
			return most
		}
		if peak("streams") == 1 && peak("publishes_per_second") > 0 && peak("deliveries_per_second") > 0 && peak("commit_seconds") > 0 && peak("rss_bytes") > 0 && peak("connections") >= 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the numbers are %s", answer.Body)
		}
	}
}

func TestBandOfTheWatchdog(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	cfg := config.Config{
		WatchdogGoroutines: 512, WatchdogHeap: 64 * mib, WatchdogHeapPerStream: 8192,
		RingBytes: 32 * mib, SelectorCacheBytes: 16 * mib, MaxPendingBytes: 8 * mib,
	}
	log := slog.New(slog.DiscardHandler)
	for _, test := range []struct {
		store         string
		history, heap config.Size
	}{
		{"bolt://hub.db", 0, 120 * mib},
		{"bolt://hub.db", 10 * mib, 120 * mib},
		{"memory://", 0, 0}, // not watched: it holds any history
		{"memory://", 10 * mib, 140 * mib},
	} {
		c := cfg
		c.Store, c.History.MaxBytes = config.NewStore(test.store), test.history
		b := band(&c, log)
		if b.Heap != int64(test.heap) || b.Goroutines != 512 || b.HeapPerStream != 8192 {
			t.Errorf("%s with %s of history: %+v, want a heap of %s", test.store, test.history, b, test.heap)
		}
	}
	if kinds := pprof.EpisodeKinds(); len(kinds) != 2 {
		t.Errorf("kinds of episodes are %q", kinds)
	}
}

func TestMetricsOfTheWatchdog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := hubtest.Start(t, dir, "--anonymous", "--watchdog-dir="+dir+"/watchdog")
	for _, kind := range pprof.EpisodeKinds() {
		p.AwaitMetric(t, fmt.Sprintf(`hubd_watchdog_snapshots_total{kind=%q}`, kind), "0")
	}
}

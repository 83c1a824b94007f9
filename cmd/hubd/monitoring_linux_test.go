package main

import (
	"net/http"
	"strings"
	"testing"

	"hubd/internal/hubtest"
)

// What alerts stand on says what happened: publishes count by their answer, and a store that fails shows as that, and as
// a hub that is not ready, until it works again.
func TestMetricsOfAHubInTrouble(t *testing.T) {
	t.Parallel()
	dir := disk(t, "4m")
	p := hubtest.Start(t, dir, "--history-max-events=0")
	expect := func(metrics map[string]string) {
		t.Helper()
		for name, want := range metrics {
			p.AwaitMetric(t, name, want)
		}
	}
	p.PublishData(t, topic, "x")
	hubtest.Do(t, http.MethodPost, p.URL, "topic=a&data=x")
	expect(map[string]string{
		"hubd_ready": "1", "hubd_store_failing": "0",
		`hubd_publishes_total{code="200"}`: "1", `hubd_publishes_total{code="401"}`: "1", `hubd_publishes_total{code="503"}`: "0",
	})
	free := fillUp(t, dir)
	if a := p.TryPublish(t, topic, strings.Repeat("x", 200_000)); a.Status != http.StatusServiceUnavailable {
		t.Fatalf("a publish on a full disk is answered %d", a.Status)
	}
	expect(map[string]string{
		"hubd_ready": "0", "hubd_store_failing": "1", "hubd_store_held_elsewhere": "0",
		`hubd_publishes_total{code="503"}`: "1",
	})
	free()
	expect(map[string]string{"hubd_ready": "1", "hubd_store_failing": "0"})
	p.Stop(t)
}

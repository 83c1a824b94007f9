//go:build linux

package target

import "testing"

func TestLocal(t *testing.T) {
	t.Parallel()
	l := Local("x")
	if l.Name != "x" || l.Died() || l.Log() != "" || l.Stop() != nil {
		t.Errorf("%+v", l)
	}
	l.Metrics = "http://127.0.0.1:9/metrics"
	if got := l.Profile("mutex", 3); got != "http://127.0.0.1:9/debug/pprof/mutex?seconds=3" {
		t.Error(got)
	}
}

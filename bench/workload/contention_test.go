//go:build linux

package workload

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hubd/bench/contention"
	"hubd/bench/contention/contentiontest"
	"hubd/bench/fakehub"
	"hubd/bench/result"
)

// TestContention plants profiles (invariant I6).
func TestContention(t *testing.T) {
	t.Parallel()
	const write = "hubd/actors.(*Subscriber).writeCurrent"
	rest := contentiontest.Wait{Stack: []string{"runtime.chanrecv1", "hubd/actors.(*worker).work"}, Waits: 100, Delay: time.Hour}
	locked := contentiontest.Wait{Stack: []string{"sync.(*Mutex).Lock", write}, Waits: 1000, Delay: 100 * time.Millisecond}
	holds := contentiontest.Wait{Stack: []string{"sync.(*Mutex).Unlock", write}, Waits: 1000, Delay: 100 * time.Millisecond}
	chance := contentiontest.Wait{Stack: []string{"sync.(*Mutex).Lock", write}, Waits: 1, Delay: 100 * time.Millisecond}
	tests := []struct {
		name         string
		mutex, block []contentiontest.Wait
		want         error
	}{
		{"none", nil, []contentiontest.Wait{rest}, nil},
		{"waits", nil, []contentiontest.Wait{rest, locked}, errContention},
		{"holds", []contentiontest.Wait{holds}, []contentiontest.Wait{rest}, errContention},
		{"by chance", nil, []contentiontest.Wait{rest, chance}, nil},
		{"nothing was sampled", nil, nil, contention.ErrProfile},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hub := &fakehub.Hub{Pages: map[string][]byte{
				"/debug/pprof/mutex": contentiontest.Profile(t, test.mutex...),
				"/debug/pprof/block": contentiontest.Profile(t, test.block...),
				"/metrics":           nil,
			}}
			w := named(t, "contention")
			r, err := w.Run(t.Context(), watched(t, hub), tiny(&w), 1)
			if !errors.Is(err, test.want) || (r.Failure == "") != (test.want == nil) {
				t.Fatalf("%v", err)
			}
			if errors.Is(test.want, errContention) && (r.Figures[result.PathShare] < pathBound || !strings.Contains(strings.Join(r.Details, " "), write)) {
				t.Errorf("%v, %v", r.Figures[result.PathShare], r.Details)
			}
		})
	}
}

func TestContentionNeedsProfiles(t *testing.T) {
	t.Parallel()
	hub := &fakehub.Hub{Pages: map[string][]byte{"/debug/pprof/mutex": nil, "/debug/pprof/block": []byte("not found")}}
	w := named(t, "contention")
	if _, err := w.Run(t.Context(), watched(t, hub), tiny(&w), 1); !errors.Is(err, contention.ErrProfile) {
		t.Errorf("%v", err)
	}
}

package churn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const profile = `goroutine profile: total 40
32 @ 0x48fb4e 0x491433
#	0x491412	sync.runtime_notifyListWait+0x192	/usr/local/go/src/runtime/sema.go:617

6 @ 0x48fb4e 0x41e56e
#	0xb30f39	github.com/valyala/fasthttp.(*workerPool).workerFunc+0x59	workerpool.go:220

2 @ 0x48fb4e 0x41e56e
#	0xb3644e	github.com/valyala/fasthttp.(*Server).serveConn+0x2e	server.go:2329
#	0xb30f87	github.com/valyala/fasthttp.(*workerPool).workerFunc+0xa7	workerpool.go:225
`

const metrics = `# HELP hubd_topics Topics in use.
hubd_topics %d
hubd_connections 1
mercure_subscribers_connected 2
process_open_fds 14
hubd_queue_bytes 1.5e+06
hubd_catchup_streams 0
go_memstats_heap_alloc_bytes 5e+06
`

// admin is an admin server on which the number of topics falls by one with each question.
func admin(t *testing.T, topics int64) string {
	t.Helper()
	var left atomic.Int64
	left.Store(topics + 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/debug") {
			fmt.Fprint(w, profile)
			return
		}
		fmt.Fprintf(w, metrics, max(left.Add(-1), 0))
	}))
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		s.Close()
	})
	return s.URL
}

func TestRead(t *testing.T) {
	t.Parallel()
	url := admin(t, 3)
	want := Footprint{Goroutines: 34, Files: 14, Connections: 1, Subscribers: 2, Topics: 3, Queued: 1_500_000}
	if got, err := Read(t.Context(), url); err != nil || got != want {
		t.Errorf("Read: %+v, %v; want %+v", got, err, want)
	}
	want.Heap, want.Topics = 5_000_000, 1
	if got, err := ReadHeap(t.Context(), url); err != nil || got != want {
		t.Errorf("ReadHeap: %+v, %v; want %+v", got, err, want)
	}
	if _, err := Read(t.Context(), url+"/debug/nowhere?"); !errors.Is(err, errAnswer) {
		t.Errorf("a page of metrics without metrics: %v, want %v", err, errAnswer)
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	before := Footprint{Goroutines: 34, Files: 14, Connections: 1, Subscribers: 2, Queued: 1_500_000}
	if err := Await(t.Context(), admin(t, 3), before); err != nil {
		t.Errorf("Await: %v", err)
	}
	before.Files--
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := Await(ctx, admin(t, 0), before); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "14 open files instead of 13") {
		t.Errorf("Await of a file that stays: %v", err)
	}
}

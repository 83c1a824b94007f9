package churn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Footprint is what connections and streams may leave behind in a hub.
type Footprint struct {
	// Goroutines leaves out those of fasthttp that wait for a connection: they end after ten seconds.
	Goroutines int
	// Files are open file descriptors.
	Files int
	// Connections, Subscribers and Topics are those in use; the last two are actors.
	Connections, Subscribers, Topics int
	// Queued are bytes of updates that wait for streams, and CatchUp streams that read history.
	Queued, CatchUp int
	// Heap are the live bytes, if asked for.
	Heap int
}

// errAnswer is wrapped when a page of the admin server is not to be had, or not as it has to be.
var errAnswer = errors.New("admin server")

// Read asks the admin server, given by its base URL, for the hub's footprint. The heap is left out: it takes a collection.
func Read(ctx context.Context, admin string) (f Footprint, err error) {
	profile, err := page(ctx, admin+"/debug/pprof/goroutine?debug=1")
	if err != nil {
		return f, err
	}
	f.Goroutines = busy(profile)
	metrics, err := page(ctx, admin+"/metrics")
	if err != nil {
		return f, err
	}
	for name, value := range map[string]*int{
		"process_open_fds":              &f.Files,
		"hubd_connections":              &f.Connections,
		"mercure_subscribers_connected": &f.Subscribers,
		"hubd_topics":                   &f.Topics,
		"hubd_queue_bytes":              &f.Queued,
		"hubd_catchup_streams":          &f.CatchUp,
	} {
		if *value, err = sample(metrics, name); err != nil {
			return f, err
		}
	}
	return f, nil
}

// ReadHeap is Read after a collection, with the heap.
func ReadHeap(ctx context.Context, admin string) (f Footprint, err error) {
	// What finalizers and cleanups let go of is collected the next time.
	for range 2 {
		if _, err := page(ctx, admin+"/debug/pprof/heap?gc=1"); err != nil {
			return f, err
		}
	}
	metrics, err := page(ctx, admin+"/metrics")
	if err != nil {
		return f, err
	}
	heap, err := sample(metrics, "go_memstats_heap_alloc_bytes")
	if err != nil {
		return f, err
	}
	f, err = Read(ctx, admin)
	f.Heap = heap
	return f, err
}

// Await reads the footprint until it does not exceed the one before, the heap aside: ends happen on their own time. The
// error names what is left when ctx ends.
func Await(ctx context.Context, admin string, before Footprint) error {
	again := time.NewTicker(50 * time.Millisecond) // asking costs the hub something, too
	defer again.Stop()
	more := ""
	for {
		f, err := Read(ctx, admin)
		switch {
		case err == nil:
			if more = f.exceeds(before); more == "" {
				return nil
			}
		case ctx.Err() == nil:
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for clients to leave nothing behind: %w; left are %s", ctx.Err(), more)
		}
	}
}

// exceeds names what is more than before.
func (f Footprint) exceeds(before Footprint) string {
	var more []string
	for _, part := range []struct {
		name        string
		now, before int
	}{
		{"goroutines", f.Goroutines, before.Goroutines}, {"open files", f.Files, before.Files},
		{"connections", f.Connections, before.Connections}, {"subscribers", f.Subscribers, before.Subscribers},
		{"topics", f.Topics, before.Topics}, {"bytes queued", f.Queued, before.Queued}, {"streams catching up", f.CatchUp, before.CatchUp},
	} {
		if part.now > part.before {
			more = append(more, fmt.Sprintf("%d %s instead of %d", part.now, part.name, part.before))
		}
	}
	return strings.Join(more, ", ")
}

func page(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errAnswer, err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errAnswer, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("%w: reading %s: %w", errAnswer, url, err)
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%w: %s answered %s", errAnswer, url, response.Status)
	}
	return string(text), nil
}

// busy counts the goroutines of a profile in text form, but for idle workers of fasthttp.
func busy(profile string) int {
	n := 0
	for group := range strings.SplitSeq(profile, "\n\n") {
		if strings.Contains(group, "(*workerPool).workerFunc") && !strings.Contains(group, "(*Server).serveConn") {
			continue
		}
		// The first group stands below the line with the total.
		if rest, found := strings.CutPrefix(group, "goroutine profile:"); found {
			_, group, _ = strings.Cut(rest, "\n")
		}
		count, _, _ := strings.Cut(group, " ")
		if i, err := strconv.Atoi(count); err == nil {
			n += i
		}
	}
	return n
}

// sample returns the value of a metric in a page of them.
func sample(metrics, name string) (int, error) {
	for line := range strings.Lines(metrics) {
		if text, found := strings.CutPrefix(line, name+" "); found {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				return 0, fmt.Errorf("%w: metric %s: %w", errAnswer, name, err)
			}
			return int(value), nil
		}
	}
	return 0, fmt.Errorf("%w: metric %s is missing", errAnswer, name)
}

package pprof

import (
	"encoding/json"
	"math"
	"testing"
	"time"
	"unsafe"
)

// looked returns readings at the pace of the recorder, the n-th made by change.
func looked(count int, change func(n int, r *reading)) []*reading {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	readings := make([]*reading, count)
	for n := range readings {
		readings[n] = &reading{at: start.Add(time.Duration(n) * sampleEvery), rss: math.NaN()}
		change(n, readings[n])
	}
	return readings
}

// decoded is a history as a page reads it.
type decoded struct {
	Every  float64
	Points int
	Series map[string]json.RawMessage
}

func (d *decoded) list(t *testing.T, name string) []*float64 {
	t.Helper()
	var list []*float64
	if err := json.Unmarshal(d.Series[name], &list); err != nil {
		t.Fatalf("%s: %v in %s", name, err, d.Series[name])
	}
	return list
}

func decode(t *testing.T, h *history) *decoded {
	t.Helper()
	var d decoded
	content := h.appendJSON(nil)
	if err := json.Unmarshal(content, &d); err != nil {
		t.Fatalf("%v in %s", err, content)
	}
	return &d
}

func TestAHistoryKeepsTheNewestPoints(t *testing.T) {
	t.Parallel()
	h := history{looks: coarseLooks}
	readings := looked(1+coarseLooks*(points+10), func(n int, r *reading) { r.Streams = int64(n) })
	for _, r := range readings {
		h.add(r)
	}
	d := decode(t, &h)
	times, open := d.list(t, "time"), d.list(t, "streams")
	if d.Every != 15 || d.Points != points || len(times) != points || len(open) != points {
		t.Fatalf("every %v s, %d points, %d times, %d values; want 15, %d and as many", d.Every, d.Points, len(times), len(open), points)
	}
	last := readings[len(readings)-1]
	if got := *open[points-1]; got != float64(last.Streams) {
		t.Errorf("the last point has %v streams, want the peak %d", got, last.Streams)
	}
	if got := int64(*times[points-1]); got != last.at.UnixMilli() {
		t.Errorf("the last point is of %d, want %d", got, last.at.UnixMilli())
	}
	if span := *times[points-1] - *times[0]; span != 15_000*(points-1) {
		t.Errorf("the points span %v ms", span)
	}
	if size := 2 * unsafe.Sizeof(h); size > 70<<10 {
		t.Errorf("both histories take %d bytes", size)
	}
}

func TestAPointHasRatesPeaksAndMeans(t *testing.T) {
	t.Parallel()
	h := history{looks: 4}
	bounds := []float64{math.Inf(-1), 0.001, 0.002, math.Inf(1)}
	for _, r := range looked(5, func(n int, r *reading) {
		r.Streams, r.rss = 200, 1e6
		r.Published, r.Delivered = uint64(10*n), uint64(1000*n)
		r.Commits, r.CommitTime = uint64(2*n), time.Duration(n)*time.Millisecond
		r.goroutines = []float64{1, 2, 900, 3, 4}[n]
		r.bounds, r.pauses = bounds, []uint64{0, uint64(n / 2), 0}
	}) {
		h.add(r)
	}
	d := decode(t, &h)
	for name, want := range map[string]float64{
		"publishes_per_second": 4, "deliveries_per_second": 400, "commit_seconds": 0.0005,
		"goroutines": 900, "bytes_per_stream": 5000, "gc_pause_seconds": 0.002,
	} {
		if got := d.list(t, name); len(got) != 1 || got[0] == nil || math.Abs(*got[0]-want) > 1e-9 {
			t.Errorf("%s is %s, want %v", name, d.Series[name], want)
		}
	}
}

func TestWhatIsUnknownIsNull(t *testing.T) {
	t.Parallel()
	h := history{looks: fineLooks}
	for _, r := range looked(2, func(n int, r *reading) {
		r.Streams = fewStreams - 1
		r.Published = uint64(100 - n) // the hub began anew
	}) {
		h.add(r)
	}
	d := decode(t, &h)
	for _, name := range []string{"rss_bytes", "bytes_per_stream", "commit_seconds"} {
		if got := d.list(t, name); len(got) != 1 || got[0] != nil {
			t.Errorf("%s is %s, want null", name, d.Series[name])
		}
	}
	if got := d.list(t, "publishes_per_second"); *got[0] != 0 {
		t.Errorf("the rate of a total that fell is %v", *got[0])
	}
}

func TestTheProcessIsRead(t *testing.T) {
	t.Parallel()
	r := newProcess().read(time.Now(), Numbers{Streams: 7})
	if r.Streams != 7 || !(r.heap > 0) || !(r.goroutines > 0) || math.IsNaN(r.live) || len(r.bounds) != len(r.pauses)+1 {
		t.Errorf("read %+v", r)
	}
	p := newProcess()
	p.statm = "/nowhere"
	if got := p.resident(); !math.IsNaN(got) {
		t.Errorf("resident memory is %v where the system does not tell", got)
	}
}

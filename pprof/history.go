package pprof

import (
	"math"
	"strconv"
	"time"
)

const (
	// sampleEvery is the time between two looks at the hub.
	sampleEvery = 2500 * time.Millisecond
	// points is the length of a history: 10 minutes of one look each, and an hour of six each.
	points      = 240
	fineLooks   = 1
	coarseLooks = 6
)

// quantity is what a history has a line of. Two histories of 240 points hold 2 x 240 x 14 numbers of 8 bytes and as many
// times: 66 KB, whatever the hub does.
type quantity int

const (
	heapBytes quantity = iota
	liveBytes
	goroutines
	gcPause
	rssBytes
	streams
	openConnections
	bytesPerStream
	publishes
	deliveries
	queueBytes
	catchingUp
	lag
	commitTime
	quantities
)

// names of the quantities in JSON. Times are in seconds, rates per second.
func (q quantity) String() string {
	return [quantities]string{
		"heap_bytes", "live_bytes", "goroutines", "gc_pause_seconds", "rss_bytes", "streams", "connections", "bytes_per_stream",
		"publishes_per_second", "deliveries_per_second", "queue_bytes", "catchup_streams", "lag_events", "commit_seconds",
	}[q]
}

// fewStreams is too few for what the hub takes by itself to vanish in what it takes for each stream.
const fewStreams = 100

// point is the state of the hub over a short time: the peak of what has a level, the mean of what has a rate, the longest
// pause and the mean commit. NaN is unknown.
type point struct {
	at     time.Time
	values [quantities]float64
}

// history is the newest points, each made of a fixed number of readings.
type history struct {
	looks int
	// ring holds the points; next is where the next one goes, count how many there are.
	ring        [points]point
	next, count int
	// since is the reading that ended the last point; gathered readings followed it, with their peaks in open.
	since    *reading
	gathered int
	open     point
}

// add takes a reading. The first one only begins the first point.
func (h *history) add(r *reading) {
	if h.since == nil {
		h.since = r
		return
	}
	levels(&h.open, r, h.gathered == 0)
	h.gathered++
	if h.gathered < h.looks {
		return
	}
	h.open.at = r.at
	rates(&h.open, h.since, r)
	h.ring[h.next] = h.open
	h.next = (h.next + 1) % points
	h.count = min(h.count+1, points)
	h.since, h.gathered = r, 0
}

// levels raises the levels of a point to those of a reading.
func levels(p *point, r *reading, first bool) {
	raise := func(q quantity, v float64) {
		if first || v > p.values[q] {
			p.values[q] = v
		}
	}
	raise(heapBytes, r.heap)
	raise(liveBytes, r.live)
	raise(goroutines, r.goroutines)
	raise(rssBytes, r.rss)
	raise(streams, float64(r.Streams))
	raise(openConnections, float64(r.Connections))
	raise(queueBytes, float64(r.QueueBytes))
	raise(catchingUp, float64(r.CatchingUp))
	raise(lag, float64(r.Lag))
}

// rates sets what happened between two readings.
func rates(p *point, before, after *reading) {
	span := after.at.Sub(before.at).Seconds()
	p.values[publishes] = rate(before.Published, after.Published, span)
	p.values[deliveries] = rate(before.Delivered, after.Delivered, span)
	p.values[gcPause] = longestPause(before, after)
	p.values[bytesPerStream], p.values[commitTime] = math.NaN(), math.NaN()
	if after.Streams >= fewStreams {
		p.values[bytesPerStream] = after.rss / float64(after.Streams)
	}
	if after.Commits > before.Commits {
		p.values[commitTime] = (after.CommitTime - before.CommitTime).Seconds() / float64(after.Commits-before.Commits)
	}
}

func rate(before, after uint64, seconds float64) float64 {
	if after < before || seconds <= 0 {
		return 0
	}
	return float64(after-before) / seconds
}

// appendJSON writes the history, oldest point first: the seconds between points, the times in milliseconds since 1970, and a
// list of numbers for each quantity, null where it is unknown.
func (h *history) appendJSON(to []byte) []byte {
	first := (h.next - h.count + points) % points
	list := func(name string, value func([]byte, *point) []byte) {
		to = append(append(append(to, ',', '"'), name...), `":[`...)
		for i := range h.count {
			if i > 0 {
				to = append(to, ',')
			}
			to = value(to, &h.ring[(first+i)%points])
		}
		to = append(to, ']')
	}
	to = append(to, `{"every":`...)
	to = strconv.AppendFloat(to, (time.Duration(h.looks) * sampleEvery).Seconds(), 'g', -1, 64)
	to = append(strconv.AppendInt(append(to, `,"points":`...), points, 10), `,"series":{"count":`...)
	to = strconv.AppendInt(to, int64(h.count), 10)
	list("time", func(to []byte, p *point) []byte { return strconv.AppendInt(to, p.at.UnixMilli(), 10) })
	for q := range quantities {
		list(q.String(), func(to []byte, p *point) []byte {
			v := p.values[q]
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return append(to, "null"...)
			}
			return strconv.AppendFloat(to, v, 'g', 7, 64)
		})
	}
	return append(to, "}}"...)
}

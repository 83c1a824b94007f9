package pprof

// Band is what the hub should need at most, by the number of streams:
//
//	goroutines <= Goroutines + GoroutinesPerStream x streams + 2 x other connections
//	live heap  <= Heap + HeapPerStream x streams + bytes queued for streams
//
// Other connections are those of publishers and of clients that ask something: each has a goroutine while a request is
// under way, and may start another. There is no lower edge: to need less is no fault. The live heap is what the last
// garbage collection found in use, so garbage never counts.
type Band struct {
	// Goroutines of a hub without a connection, with a margin; 0 does not watch them.
	Goroutines int64
	// GoroutinesPerStream is 0 where one poller watches all streams.
	GoroutinesPerStream float64
	// Heap in bytes that a hub without streams may hold, its caches full; 0 does not watch it.
	Heap int64
	// HeapPerStream in bytes, with a margin.
	HeapPerStream int64
}

// goroutinesPerConnection are those of a connection that is no stream.
const goroutinesPerConnection = 2

// measure returns what the process uses of a kind and the edge of the band, 0 if the kind is not watched.
func (b *Band) measure(k kind, r *reading) (used, limit float64) {
	open := float64(r.Streams)
	if k == ofHeap {
		if b.Heap == 0 {
			return r.live, 0
		}
		return r.live, float64(b.Heap) + float64(b.HeapPerStream)*open + float64(r.QueueBytes)
	}
	if b.Goroutines == 0 {
		return r.goroutines, 0
	}
	others := float64(max(r.Connections-r.Streams, 0))
	return r.goroutines, float64(b.Goroutines) + b.GoroutinesPerStream*open + goroutinesPerConnection*others
}

package actors

import (
	"log/slog"
	"strconv"
	"testing"
	"unsafe"

	"hubd/mercure"
	"hubd/persistence/memory"
	"hubd/topics"
)

// taker is a connection that takes everything and tells of each event.
type taker struct{ written chan struct{} }

func (taker) Watch(*Subscriber) {}
func (c taker) Write(p []byte) (int, error) {
	c.written <- struct{}{}
	return len(p), nil
}
func (taker) Close() error { return nil }

// BenchmarkFanOut is the way of one update from the log to the sockets of its streams.
func BenchmarkFanOut(b *testing.B) {
	for _, streams := range []int{1, 100} {
		b.Run(strconv.Itoa(streams), func(b *testing.B) {
			log, err := memory.Open(memory.Options{})
			if err != nil {
				b.Fatal(err)
			}
			space, err := topics.NewSpace(topics.Options{BaseURL: "https://hub.example/.well-known/mercure"})
			if err != nil {
				b.Fatal(err)
			}
			h, err := New(Options{System: NewSystem(slog.New(slog.DiscardHandler)), Log: log, Store: &direct{log: log}, Space: space, EndedStreams: 64, JournalRounds: 1024})
			if err != nil {
				b.Fatal(err)
			}
			if err := h.Start(); err != nil {
				b.Fatal(err)
			}
			written := make(chan struct{}, streams)
			for range streams {
				o, err := h.Prepare([]mercure.Matcher{{Type: mercure.Exact, Pattern: "a"}})
				if err != nil {
					b.Fatal(err)
				}
				o.Conn, o.Prelude = taker{written}, []byte("HEAD")
				if err := h.Subscribe(o); err != nil {
					b.Fatal(err)
				}
				<-written
			}
			e := &mercure.Update{Topics: []string{"a"}, Data: "data", ID: "urn:x"}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Publish(e); err != nil {
					b.Fatal(err)
				}
				for range streams {
					<-written
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(unsafe.Sizeof(Subscriber{})), "B/subscriber")
			h.Stop()
			space.Close()
			_ = log.Close()
		})
	}
}

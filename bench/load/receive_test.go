//go:build linux

package load

import (
	"fmt"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"hubd/bench/wire"
)

// TestReadEmptiesTheSocket gives a stream much more than fits into one read, and one report of the poller: an
// edge is reported once, so all of it must be taken, and the end behind it.
func TestReadEmptiesTheSocket(t *testing.T) {
	t.Parallel()
	const events = 200
	b := newBench(t, netip.MustParseAddrPort("127.0.0.1:1"), 1, 1, nil)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for n := range events {
		data := make([]byte, 128)
		wire.Payload{N: uint32(n)}.Put(data)
		text = fmt.Appendf(text, "id: %d\ndata: %s\n\n", n, data)
	}
	if n, err := unix.Write(pair[1], text); n < len(text) || err != nil {
		t.Fatal(n, err)
	}
	if err := unix.Close(pair[1]); err != nil {
		t.Fatal(err)
	}
	b.streams.all[0].fd, b.streams.all[0].state = int32(pair[0]), streamOpen
	b.streams.open = 1
	b.streams.read(0, 1000, true)
	if n := b.streams.Delivered(); n != events {
		t.Errorf("%d of %d events", n, events)
	}
	if b.streams.Ended() != 1 || b.streams.Open() != 0 {
		t.Error("the end was not seen")
	}
}

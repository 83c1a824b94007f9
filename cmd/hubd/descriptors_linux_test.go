package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hubd/internal/hubtest"
)

// A hub that runs out of descriptors says so, keeps its streams, and accepts those who wait as soon as others leave.
func TestOutOfDescriptors(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous")
	stays := p.Subscribe(t, "topic="+enc(topic))
	p.PublishData(t, topic, "before")
	stays.Expect(t, "before")
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID))
	if err != nil {
		t.Fatal(err)
	}
	few := &unix.Rlimit{Cur: uint64(len(open)) + 4, Max: 20_000}
	if err := unix.Prlimit(p.PID, unix.RLIMIT_NOFILE, few, nil); err != nil {
		t.Fatal(err)
	}
	const clients = 12
	answers := make(chan string)
	leave := make(chan struct{})
	for range clients {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.Address(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		go func() {
			_, err := fmt.Fprintf(c, "GET /.well-known/mercure?topic=%s HTTP/1.1\r\nHost: %s\r\n\r\n", enc(topic), "hub.example")
			line, _ := bufio.NewReader(c).ReadString('\n')
			answers <- fmt.Sprint(strings.TrimSpace(line), err)
			<-leave
			_ = c.Close()
		}()
	}
	if line := p.AwaitLog(t, "accepting connections failed, trying again"); !strings.Contains(fmt.Sprint(line), "too many open files") {
		t.Errorf("the hub says %v", line)
	}
	close(leave)
	for range clients {
		if got := <-answers; got != "HTTP/1.1 200 OK<nil>" {
			t.Errorf("a client that waited got %q", got)
		}
	}
	p.PublishData(t, topic, "after")
	stays.Expect(t, "after")
}

// A hub has room for descriptors from the start: where the kernel makes room later, connections wait.
func TestDescriptorsAreReserved(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--anonymous")
	var limit unix.Rlimit
	if err := unix.Prlimit(p.PID, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "FDSize:")
	var size uint64
	if _, err := fmt.Sscan(rest, &size); err != nil {
		t.Fatal(err)
	}
	if want := min(reservedDescriptors, limit.Cur); size < want {
		t.Errorf("the hub has room for %d descriptors, want %d", size, want)
	}
}

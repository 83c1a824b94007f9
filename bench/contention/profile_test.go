package contention

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hubd/bench/contention/contentiontest"
)

func parse(t *testing.T, waits ...contentiontest.Wait) *Profile {
	t.Helper()
	p, err := Parse(contentiontest.Profile(t, waits...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestWhatCounts plants one wait after the other (invariant I6).
func TestWhatCounts(t *testing.T) {
	t.Parallel()
	const write, work = "hubd/actors.(*Subscriber).writeCurrent", "hubd/actors.(*worker).work"
	tests := []struct {
		name        string
		stack       []string
		path, other bool
	}{
		{"a lock around a write", []string{"sync.(*Mutex).Lock", write, work}, true, false},
		{"its holder", []string{"sync.(*Mutex).Unlock", write, work}, true, false},
		{"a lock in a write", []string{"internal/sync.(*Mutex).lockSlow", "sync.(*Mutex).Lock", "hubd/sse.(*stream).Write", write}, true, false},
		{"a read lock in the selector cache", []string{"sync.(*RWMutex).RLock", "hubd/topics.(*cache).get"}, true, false},
		{"a full channel", []string{"runtime.chansend1", "hubd/actors.(*worker).rouse"}, true, false},
		{"an answer that a delivery waits for", []string{"runtime.chanrecv1", write, work}, true, false},
		{"a condition", []string{"sync.(*Cond).Wait", "hubd/persistence.(*Ring).Add"}, true, false},
		{"a lock of a library below the path", []string{"sync.(*Mutex).Lock", "example.com/lib.F", "hubd/actors.(*sequencer).advance"}, true, false},
		{"a lock of the tail", []string{"sync.(*Mutex).Lock", "hubd/persistence.(*tail).Next"}, true, false},
		{"a lock in the loop of a worker", []string{"sync.(*Mutex).Lock", work}, true, false},
		{"a worker at rest", []string{"runtime.chanrecv1", work, "sync.(*WaitGroup).Go.func1"}, false, false},
		{"a publisher that waits for its commit", []string{"runtime.chanrecv1", "hubd/persistence.(*Store).Append", "hubd/actors.(*Hub).Publish"}, false, false},
		{"a publisher that waits for the fan-out", []string{"runtime.selectgo", "hubd/actors.(*gate).pass", "hubd/actors.(*Hub).Publish"}, false, false},
		{"a publisher that waits for a lock", []string{"sync.(*Mutex).Lock", "hubd/persistence.(*Store).Append", "hubd/actors.(*Hub).Publish"}, true, false},
		{"a reader of history at rest", []string{"sync.(*Cond).Wait", "hubd/actors.(*replayer).work"}, false, false},
		{"the queue of streams that are behind", []string{"sync.(*Mutex).Lock", "hubd/actors.(*replayer).request", write}, false, true},
		{"the wheel at rest", []string{"runtime.selectgo", "hubd/actors.(*Hub).tick"}, false, false},
		{"a deadline that waits for the wheel", []string{"sync.(*Mutex).Lock", "hubd/actors.(*wheel).arm", write}, true, false},
		{"a lock of the runtime below the path", []string{"runtime.unlock", "runtime.chansend", "runtime.chansend1", write}, false, false},
		{"a lock elsewhere", []string{"sync.(*Mutex).Lock", "github.com/valyala/fasthttp.(*workerPool).getCh"}, false, true},
		{"a channel elsewhere", []string{"runtime.selectgo", "net/http.(*Transport).dial"}, false, false},
		{"a lock of the publish side of the edge", []string{"sync.(*RWMutex).RLock", "hubd/sse.(*Server).publish"}, false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := parse(t, contentiontest.Wait{Stack: test.stack, Waits: 3, Delay: time.Millisecond})
			if got := p.Path == time.Millisecond; got != test.path || p.Path != 0 && !test.path {
				t.Errorf("on the path: %s", p.Path)
			}
			if got := p.Other == time.Millisecond; got != test.other {
				t.Errorf("elsewhere: %s", p.Other)
			}
			if (len(p.Sites) == 1) != test.path || p.Samples != 1 {
				t.Errorf("%d samples, sites %v", p.Samples, p.Sites)
			}
		})
	}
}

func TestSitesAreSummedUp(t *testing.T) {
	t.Parallel()
	lock := []string{"sync.(*Mutex).Lock", "hubd/topics.(*cache).get"}
	rare := []string{"sync.(*Mutex).Lock", "hubd/actors.(*wheel).arm"}
	p := parse(t,
		contentiontest.Wait{Stack: rare, Waits: 1, Delay: time.Second},
		contentiontest.Wait{Stack: lock, Waits: 30, Delay: time.Millisecond},
		contentiontest.Wait{Stack: lock, Waits: 20, Delay: time.Millisecond},
	)
	if p.Path != time.Second+2*time.Millisecond || len(p.Sites) != 2 || p.Sites[0].Delay != time.Second || p.Sites[1].Waits != 50 {
		t.Errorf("%s, %v", p.Path, p.Sites)
	}
	if got := p.Regular(50); got != 2*time.Millisecond {
		t.Errorf("%s at places that are met regularly", got)
	}
	if got := p.Sites[1].String(); got != "2ms in 50 waits: sync.(*Mutex).Lock < hubd/topics.(*cache).get" {
		t.Error(got)
	}
}

// TestRealProfile reads what this process writes, so that the names of a profile's columns are right.
func TestRealProfile(t *testing.T) {
	// Not parallel: the rate belongs to the process.
	runtime.SetBlockProfileRate(1)
	defer runtime.SetBlockProfileRate(0)
	var wait sync.WaitGroup
	gate := make(chan struct{})
	wait.Go(func() { <-gate })
	gate <- struct{}{}
	wait.Wait()
	var b bytes.Buffer
	if err := pprof.Lookup("block").WriteTo(&b, 0); err != nil {
		t.Fatal(err)
	}
	if p, err := Parse(b.Bytes()); err != nil || p.Path != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestStrangeProfiles(t *testing.T) {
	t.Parallel()
	var heap bytes.Buffer
	if err := pprof.Lookup("heap").WriteTo(&heap, 0); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("hello"), "a heap": heap.Bytes()} {
		if _, err := Parse(data); !errors.Is(err, ErrProfile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(contentiontest.Profile(f, contentiontest.Wait{Stack: []string{"sync.(*Mutex).Lock", "hubd/topics.F"}, Waits: 1, Delay: 1}))
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = Parse(data) })
}

// TestFunctionsExist holds the names to the sources: after a change of names there the check would find nothing.
func TestFunctionsExist(t *testing.T) {
	t.Parallel()
	sources := make(map[string]string)
	for _, name := range slices.Concat(path(), rest(), beside()) {
		room, function, _ := strings.Cut(strings.TrimPrefix(name, "hubd/"), ".")
		if sources[room] == "" {
			files, err := filepath.Glob(filepath.Join("..", "..", room, "*.go"))
			if err != nil || len(files) == 0 {
				t.Fatalf("room %s: %d files, %v", room, len(files), err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				sources[room] += string(text)
			}
		}
		receiver, method, _ := strings.Cut(strings.TrimPrefix(function, "(*"), ")")
		if receiver == "" {
			continue // a whole room
		}
		declared := regexp.MustCompile(`(?m)^func \(\w+ \*` + receiver + `\) ` + strings.TrimPrefix(method, ".") + `\w*\(`)
		if !declared.MatchString(sources[room]) {
			t.Errorf("%s does not exist", name)
		}
	}
}

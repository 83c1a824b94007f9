package pprof

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/pprof/profile"
)

// journal is a log that may be read while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// leakGoroutines starts goroutines that wait for release.
func leakGoroutines(count int, release <-chan struct{}, all *sync.WaitGroup) {
	for range count {
		all.Go(func() { <-release })
	}
}

// leakHeap returns memory that the caller keeps.
func leakHeap(blocks int) [][]byte {
	kept := make([][]byte, blocks)
	for i := range kept {
		kept[i] = make([]byte, 64<<10)
	}
	return kept
}

// snapshotsIn returns the paths of the snapshots by the end of their names.
func snapshotsIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "hubd-*"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, path := range paths {
		found[strings.SplitN(filepath.Base(path), "Z-", 2)[1]] = path
	}
	return found
}

// growth returns what a function has more in one profile than in another, cumulatively, as -diff_base would show it.
func growth(t *testing.T, kind, of, base, name string) int64 {
	t.Helper()
	read := func(path string) *snapshot {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := profile.ParseData(content); err != nil {
			t.Fatalf("%s is no profile: %v", path, err)
		}
		return &snapshot{Kind: kind, profile: content}
	}
	c, err := compare(read(of), read(base), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Functions {
		if strings.Contains(f.Name, name) {
			return f.Cum - f.CumBase
		}
	}
	return 0
}

// A goroutine leak is planted: the watchdog writes one snapshot pair that names the function, logs it once, and
// sees the end of the episode.
func TestWatchdogCatchesAGoroutineLeak(t *testing.T) {
	// Not parallel: goroutines are the process's.
	synctest.Test(t, func(t *testing.T) {
		log := &journal{}
		dir := filepath.Join(t.TempDir(), "snapshots")
		r := recorder(t, RecorderOptions{
			Logger:   slog.New(slog.NewTextHandler(log, nil)),
			Watchdog: &WatchdogOptions{Dir: dir, MaxBytes: 1 << 20, After: time.Minute, Band: Band{Goroutines: 1000}},
		})
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		defer r.Stop()
		time.Sleep(10 * time.Second)
		var all sync.WaitGroup
		release := make(chan struct{})
		leakGoroutines(3000, release, &all)
		time.Sleep(time.Minute - time.Second)
		synctest.Wait()
		if found := snapshotsIn(t, dir); len(found) != 0 || r.Episodes("goroutine") != 0 {
			t.Errorf("within the time that a burst may take there are %v", found)
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		found := snapshotsIn(t, dir)
		if len(found) != 4 || r.Episodes("goroutine") != 1 || r.Episodes("heap") != 0 || strings.Count(log.String(), "level=WARN") != 1 {
			t.Fatalf("after the leak: %v, %d episodes\n%s", found, r.Episodes("goroutine"), log.String())
		}
		if got := growth(t, "goroutine", found["goroutine-outside-goroutine.pb.gz"], found["goroutine-inside-goroutine.pb.gz"], "leakGoroutines"); got != 3000 {
			t.Errorf("the snapshots show %d more goroutines of the leaking function, want 3000", got)
		}
		if !strings.Contains(log.String(), found["goroutine-outside-goroutine.pb.gz"]) {
			t.Errorf("the log does not name the file:\n%s", log.String())
		}
		close(release)
		all.Wait()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !strings.Contains(log.String(), "is back inside its band") {
			t.Errorf("the end of the episode is not logged:\n%s", log.String())
		}
	})
}

// A heap leak is planted: the snapshot pair names the function that allocates.
func TestWatchdogCatchesAHeapLeak(t *testing.T) {
	// Not parallel: the heap is the process's.
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		runtime.GC()
		before := newProcess().read(time.Now(), Numbers{}).live
		r := recorder(t, RecorderOptions{Watchdog: &WatchdogOptions{
			Dir: dir, MaxBytes: 1 << 20, After: time.Minute, Band: Band{Heap: int64(before) + 32<<20},
		}})
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		defer r.Stop()
		time.Sleep(10 * time.Second)
		kept := leakHeap(1024) // 64 MiB, of which the profile samples one block in eight
		runtime.GC()
		runtime.GC() // a profile tells of the collection before the last
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		found := snapshotsIn(t, dir)
		if len(found) != 4 || r.Episodes("heap") != 1 || r.Episodes("goroutine") != 0 {
			t.Fatalf("after the leak: %v", found)
		}
		if got := growth(t, "heap", found["heap-outside-heap.pb.gz"], found["heap-inside-heap.pb.gz"], "leakHeap"); got < 32<<20 {
			t.Errorf("the snapshots show %d more bytes of the leaking function, want about 64 MiB", got)
		}
		runtime.KeepAlive(kept)
	})
}

func TestTheBandFollowsTheHub(t *testing.T) {
	t.Parallel()
	b := Band{Goroutines: 500, GoroutinesPerStream: 0.5, Heap: 1000, HeapPerStream: 10}
	r := &reading{Numbers: Numbers{Streams: 100, Connections: 130, QueueBytes: 7}, goroutines: 40, live: 50}
	if used, limit := b.measure(ofGoroutines, r); used != 40 || limit != 500+50+2*30 {
		t.Errorf("goroutines: %v of %v", used, limit)
	}
	if used, limit := b.measure(ofHeap, r); used != 50 || limit != 1000+1000+7 {
		t.Errorf("heap: %v of %v", used, limit)
	}
	off := Band{HeapPerStream: 10, GoroutinesPerStream: 1}
	for k := range kinds {
		if _, limit := off.measure(k, r); limit != 0 {
			t.Errorf("%s is watched to %v without a band", k, limit)
		}
	}
}

func TestAnEpisodeNeedsTimeToBeginAndToEnd(t *testing.T) {
	t.Parallel()
	const after = 3
	var e episode
	start := time.Unix(1e9, 0)
	// Each letter is a second: above or in the band; capitals are where the state changes.
	for i, step := range "aaiaaaAaiiaiiiIaaaA" {
		above := step == 'a' || step == 'A'
		if changed := e.observe(start.Add(time.Duration(i)*time.Second), above, after*time.Second); changed != (step < 'a') {
			t.Fatalf("second %d (%c): changed is %t", i, step, changed)
		}
	}
}

func TestOldSnapshotsMakeRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	foreign := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(foreign, make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openFolder(dir, 100)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	episode := func(n, size int) error {
		now, inside := pair{at: at.Add(time.Duration(n) * time.Hour)}, pair{at: at}
		for k := range kinds {
			now.profiles[k], inside.profiles[k] = make([]byte, size), make([]byte, size)
		}
		return f.write(ofHeap, &now, &inside)
	}
	for n := 1; n <= 5; n++ {
		if err := episode(n, 10); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	// Two episodes of 40 bytes fit.
	if got := strings.Join(names, " "); len(names) != 9 || strings.Count(got, "T0704") != 4 || strings.Count(got, "T0804") != 4 {
		t.Errorf("the directory holds %s", got)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("a file of somebody else: %v", err)
	}
	if err := episode(6, 26); !errors.Is(err, errTooLarge) {
		t.Errorf("an episode larger than all: %v", err)
	}
}

func TestAFailedWriteIsLoggedAndNotCounted(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w, err := newWatchdog(WatchdogOptions{Dir: t.TempDir(), MaxBytes: 1, After: time.Second}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	w.catch(ofGoroutines, time.Now(), nil)
	if w.written[ofGoroutines].Load() != 0 || !strings.Contains(log.String(), "raise watchdog-max-bytes") {
		t.Errorf("%d written; the log is\n%s", w.written[ofGoroutines].Load(), log.String())
	}
}

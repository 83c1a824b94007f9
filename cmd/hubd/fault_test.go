//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

// disk mounts a small file system of its own for a test.
func disk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=700"); err != nil {
		t.Skipf("a file system cannot be mounted here (%v); it takes root, or CAP_SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	return dir
}

// fillUp fills the file system and returns what frees the space again.
func fillUp(t *testing.T, dir string) (free func()) {
	t.Helper()
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
}

// A full disk costs no more than the publishes that it has no room for: each is refused, nothing of them is
// delivered, streams stay, and the hub goes on by itself when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := disk(t, "4m")
	p := hubtest.Start(t, dir, "--anonymous", "--drain=0s", "--history-max-events=0")
	live := p.Subscribe(t, "topic="+enc(topic))
	token := "Bearer " + hubtest.Token(t, []string{"*"}, nil)
	var acknowledged []string
	publish := func(data string) int {
		a := hubtest.Do(t, http.MethodPost, p.URL, url.Values{"topic": {topic}, "data": {data}}.Encode(), "Authorization", token)
		if a.Status == http.StatusOK {
			acknowledged = append(acknowledged, data)
		} else {
			wantUnavailable(t, a, "")
		}
		return a.Status
	}
	large := strings.Repeat("x", 200_000) // more than the file has in reserve
	for round := range 3 {
		for i := range 5 {
			if status := publish(fmt.Sprintf("%d.%d", round, i)); status != http.StatusOK {
				t.Fatalf("round %d: a publish is answered %d while there is room", round, status)
			}
		}
		free := fillUp(t, dir)
		for i := range 5 {
			if status := publish(fmt.Sprintf("%d.%d refused %s", round, i, large)); status != http.StatusServiceUnavailable {
				t.Fatalf("round %d: a publish is answered %d on a full disk", round, status)
			}
		}
		p.AwaitLog(t, "the store fails, publishes are refused")
		status, reason := hubtest.Get(t, p.Admin+"/readyz")
		if status != http.StatusServiceUnavailable || !strings.Contains(reason, "no space left on device") || strings.Contains(reason, hubtest.Secret) {
			t.Errorf("round %d: readiness is %d %q", round, status, reason)
		}
		if status, _ := hubtest.Get(t, p.Admin+"/livez"); status != http.StatusOK {
			t.Errorf("round %d: a hub with a full disk is not alive: %d", round, status)
		}
		free()
		awaitReady(t, p)
		p.AwaitLog(t, "the store works again")
	}
	publish("last")
	live.Expect(t, acknowledged...)
	p.Subscribe(t, "topic="+enc(topic)+"&lastEventID=earliest").Expect(t, acknowledged...)
	if got := p.Metric(t, "mercure_subscribers_total"); got != "2" {
		t.Errorf("%s streams were opened, want the 2 of the test: none had to come back", got)
	}
	p.Stop(t)
	// Not a page was lost either.
	if code, stdout, stderr := command([]string{"store", "verify", "bolt://" + dir + "/hub.db"}, nil); code != 0 || !strings.Contains(stdout, fmt.Sprintf("events: %d\n", len(acknowledged))) {
		t.Errorf("verify: exit code %d\n%s%s", code, stdout, stderr)
	}
	p = hubtest.Start(t, dir, "--anonymous", "--drain=0s")
	p.Subscribe(t, "topic="+enc(topic)+"&lastEventID=earliest").Expect(t, acknowledged...)
	p.Stop(t) // before its disk goes
}

// awaitReady asks a hub whether it is ready until it is.
func awaitReady(t *testing.T, p *hubtest.Process) {
	t.Helper()
	for deadline := time.Now().Add(hubtest.Patience); ; {
		status, reason := hubtest.Get(t, p.Admin+"/readyz")
		if status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the hub does not recover: %d %q", status, reason)
		}
	}
}

// A hub that starts on a full disk says so, and leaves nothing behind that keeps the next one from starting.
func TestStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := disk(t, "1m")
	for _, left := range []int64{0, 1, 2, 3} { // pages
		free := fillUp(t, dir)
		if info, err := os.Stat(filepath.Join(dir, "ballast")); err != nil {
			t.Fatal(err)
		} else if err := os.Truncate(filepath.Join(dir, "ballast"), info.Size()-left*int64(os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
		p := hubtest.Launch(t, dir)
		if code := p.Wait(t); code != 1 || !strings.Contains(p.Log(), "hub.db: no space left on device") {
			t.Errorf("with %d pages left: exit code %d:\n%s", left, code, p.Log())
		}
		free()
		p = hubtest.Start(t, dir, "--drain=0s")
		p.PublishData(t, topic, "x")
		p.Stop(t)
		if err := os.Remove(filepath.Join(dir, "hub.db")); err != nil {
			t.Fatal(err)
		}
	}
}

// A store that can only be read is refused at the start, in one line that says why.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	dir := disk(t, "1m")
	p := hubtest.Start(t, dir, "--drain=0s")
	p.PublishData(t, topic, "x")
	p.Stop(t)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("the file system cannot be made read-only here: %v", err)
	}
	p = hubtest.Launch(t, dir)
	if code := p.Wait(t); code != 1 || !strings.Contains(lastLine(p), "hub.db: read-only file system") {
		t.Errorf("exit code %d:\n%s", code, p.Log())
	}
	if code, _, stderr := command([]string{"store", "verify", filepath.Join(dir, "hub.db")}, nil); code != 0 {
		t.Errorf("verify of a store that can only be read: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := command([]string{"store", "compact", filepath.Join(dir, "hub.db")}, nil); code != 1 || !strings.Contains(stderr, "read-only file system") {
		t.Errorf("compact of a store that can only be read: exit code %d: %s", code, stderr)
	}
}

func lastLine(p *hubtest.Process) string {
	log := strings.TrimSuffix(p.Log(), "\n")
	return log[strings.LastIndex(log, "\n")+1:]
}

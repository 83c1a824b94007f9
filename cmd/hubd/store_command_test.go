package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hubd/internal/hubtest"
)

// filledStore returns the directory of a store that a hub has left, with updates 0 to n-1.
func filledStore(t *testing.T, n int) (dir string, ids []string) {
	t.Helper()
	dir = t.TempDir()
	p := hubtest.Start(t, dir, "--drain=0s")
	for i := range n {
		form := url.Values{"topic": {topic, "second"}, "data": {fmt.Sprintf("update %d.\n%s", i, strings.Repeat("x", 300))}}
		if i%5 == 0 {
			form.Set("id", fmt.Sprint("urn:example:", i))
			form.Set("type", "news")
			form.Set("retry", "10")
			form.Set("private", "on")
		}
		ids = append(ids, p.Publish(t, form))
	}
	p.Stop(t)
	return dir, ids
}

// rewrite changes the file of a store.
func rewrite(t *testing.T, dir string, edit func(b []byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, "hub.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, edit(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// flip flips a bit of the data of an update wherever the file has it: pages that were replaced keep it.
func flip(update int) func([]byte) []byte {
	return func(b []byte) []byte {
		return bytes.ReplaceAll(b, fmt.Appendf(nil, "data: update %d.", update), fmt.Appendf(nil, "data: update %d/", update))
	}
}

// Whatever has become of the file: one line that names it, says what is wrong and what to do, and exit code 1.
func TestServeRefusesDamagedFiles(t *testing.T) {
	t.Parallel()
	page := os.Getpagesize()
	for name, tc := range map[string]struct {
		damage func([]byte) []byte
		says   []string
	}{
		"cut off": {func(b []byte) []byte { return b[:len(b)/4] }, []string{"it was cut off", "hubd store verify hub.db", "hubd store export hub.db"}},
		"cut off in the middle of the second page": {func(b []byte) []byte { return b[:page+100] }, []string{"it was cut off", "hubd store export"}},
		"zeros": {func(b []byte) []byte { return make([]byte, len(b)) }, []string{"not a hub store", "choose another path", "hubd store export"}},
		"garbage in both first pages": {func(b []byte) []byte {
			for i := range 2 * page {
				b[i] ^= byte(i%7 + 1)
			}
			return b
		}, []string{"not a hub store", "hubd store export"}},
		"another format": {func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("hubd log\x00\x00\x00\x02"), []byte("hubd log\x00\x00\x00\x09"))
		}, []string{"written by a newer version", "format 9", "start the newer one"}},
		"a page of text": {func(b []byte) []byte {
			for at := 2 * page; at+page <= len(b); at += page {
				if bytes.Contains(b[at:at+page], []byte("data: update 3.")) {
					copy(b[at:], "some other program has written here")
				}
			}
			return b
		}, []string{"store is corrupt: page", "hubd store verify hub.db"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, _ := filledStore(t, 40)
			rewrite(t, dir, tc.damage)
			p := hubtest.Launch(t, dir)
			code := p.Wait(t)
			lines := strings.Split(strings.TrimSuffix(p.Log(), "\n"), "\n")
			if code != 1 || len(lines) != 1 || !strings.Contains(lines[0], "hub.db") {
				t.Errorf("exit code %d, want 1 and one line that names the file:\n%s", code, p.Log())
			}
			for _, text := range tc.says {
				if !strings.Contains(lines[0], text) {
					t.Errorf("the line is %q, want it to say %q", lines[0], text)
				}
			}
			if code, _, stderr := command([]string{"store", "verify", filepath.Join(dir, "hub.db")}, nil); code != 1 || strings.Count(stderr, "\n") != 1 {
				t.Errorf("verify: exit code %d, %q; want 1 and one line", code, stderr)
			}
		})
	}
}

// One record that cannot be read costs that record: it is logged and counted, streams pass over it.
func TestHubPassesOverADamagedRecord(t *testing.T) {
	t.Parallel()
	dir, ids := filledStore(t, 40)
	rewrite(t, dir, flip(7))
	rewrite(t, dir, flip(39))
	p := hubtest.Start(t, dir, "--anonymous", "--drain=0s")
	subscriber := "Bearer " + hubtest.Token(t, nil, []string{"*"})
	var streams []*hubtest.Stream
	for _, cursor := range []string{"earliest", ids[6], ids[7], ids[38]} {
		s := p.Subscribe(t, "topic="+enc(topic)+"&lastEventID="+enc(cursor), "Authorization", subscriber)
		for i := slices.Index(ids, cursor) + 1; i < 39; i++ {
			if i == 7 {
				continue
			}
			if e := s.Next(t); e.LastEventID != ids[i] || !strings.HasPrefix(e.Data, fmt.Sprintf("update %d.\n", i)) {
				t.Fatalf("after %q: event %+v, want update %d with id %s", cursor, e, i, ids[i])
			}
		}
		streams = append(streams, s)
	}
	p.PublishData(t, topic, "news")
	for _, s := range streams {
		s.Expect(t, "news")
	}
	if got := p.Metric(t, "hubd_store_damaged_records_total"); got != "2" {
		t.Errorf("%s damaged records are counted, want 2", got)
	}
	if n := strings.Count(p.Log(), "cannot be read"); n != 2 {
		t.Errorf("%d lines about damaged records, want 2:\n%s", n, p.Log())
	}
	p.Stop(t)
}

func TestStoreVerifyCommand(t *testing.T) {
	t.Parallel()
	dir, _ := filledStore(t, 20)
	path := filepath.Join(dir, "hub.db")
	code, stdout, stderr := command([]string{"store", "verify", "bolt://" + path}, nil)
	if code != 0 || stderr != "" || !strings.HasPrefix(stdout, "format: 2\nevents: 20\noldest: position 1, stored 20") || !strings.HasSuffix(stdout, "\nthe store is sound\n") {
		t.Errorf("a sound store: exit code %d\n%s%s", code, stdout, stderr)
	}
	rewrite(t, dir, flip(3))
	code, stdout, stderr = command([]string{"store", "verify", path}, nil)
	if code != 1 || strings.Count(stdout, "problem: ") != 1 || !strings.Contains(stdout, "problem: record 4: ") || !strings.Contains(stderr, "has 1 problems") {
		t.Errorf("a damaged store: exit code %d\n%s%s", code, stdout, stderr)
	}
	p := hubtest.Start(t, dir, "--drain=0s")
	for _, name := range []string{"verify", "export", "compact"} {
		code, stdout, stderr := command([]string{"store", name, path}, nil)
		if code != 1 || stdout != "" || !strings.Contains(stderr, "held by another process") || !strings.Contains(stderr, fmt.Sprintf("(process %d)", p.PID)) {
			t.Errorf("%s of a store that process %d holds: exit code %d\n%s%s", name, p.PID, code, stdout, stderr)
		}
	}
	p.Stop(t)
	for _, args := range [][]string{{"store"}, {"store", "verify"}, {"store", "verify", "redis://user:" + secret + "@host"}, {"store", "export", "memory://"}, {"store", "verify", path, "more"}} {
		if code, _, stderr := command(args, nil); code != 2 || strings.Contains(stderr, secret) {
			t.Errorf("%q: exit code %d: %s", args, code, stderr)
		}
	}
}

func TestStoreExportCommand(t *testing.T) {
	t.Parallel()
	dir, ids := filledStore(t, 20)
	path := filepath.Join(dir, "hub.db")
	code, stdout, stderr := command([]string{"store", "export", path}, nil)
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	if code != 0 || stderr != "" || len(lines) != 20 {
		t.Fatalf("exit code %d, %d lines, %q", code, len(lines), stderr)
	}
	for i, line := range lines {
		var u exportedUpdate
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&u); err != nil {
			t.Fatal(err)
		}
		own := i%5 == 0
		if u.Position != uint64(i)+1 || u.ID != ids[i] || u.Time.IsZero() || !slices.Equal(u.Topics, []string{topic, "second"}) || u.Private != own ||
			u.Type == "news" != own || u.Retry == "10" != own || !strings.HasPrefix(u.Data, fmt.Sprintf("update %d.\nxxx", i)) {
			t.Errorf("line %d is %+v", i, u)
		}
	}
	rewrite(t, dir, flip(3))
	code, stdout, stderr = command([]string{"store", "export", path}, nil)
	if code != 1 || strings.Count(stdout, "\n") != 19 || !strings.Contains(stderr, "hubd: record 4: ") || !strings.Contains(stderr, "19 updates were exported, 1 are known to be lost") {
		t.Errorf("a damaged store: exit code %d, %d lines\n%s", code, strings.Count(stdout, "\n"), stderr)
	}
}

// A store that was compacted is the same store: cursors lead where they did.
func TestStoreCompactCommand(t *testing.T) {
	t.Parallel()
	dir, ids := filledStore(t, 40)
	path := filepath.Join(dir, "hub.db")
	code, stdout, stderr := command([]string{"store", "compact", path}, nil)
	var before, after int64
	if _, err := fmt.Sscanf(stdout, "before: %d bytes\nafter: %d bytes\n", &before, &after); err != nil || code != 0 || stderr != "" || after >= before {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != after {
		t.Errorf("the file has %d bytes, want %d", info.Size(), after)
	}
	p := hubtest.Start(t, dir, "--anonymous", "--drain=0s")
	for _, from := range []int{5, 36} {
		s := p.Subscribe(t, "topic="+enc(topic), "Last-Event-ID", ids[from])
		if got := s.Header.Get("Last-Event-ID"); got != ids[from] {
			t.Errorf("the cursor %s is answered with %q", ids[from], got)
		}
		if e := s.Next(t); e.LastEventID != ids[from+1] {
			t.Errorf("after %s comes %+v, want %s", ids[from], e, ids[from+1])
		}
	}
	p.Stop(t)
}

package redis

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hubd/internal/hubtest/engines"
	"hubd/persistence"
)

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	closed := "redis://user:secret@127.0.0.1:1"
	if _, err := Open(t.Context(), Options{URL: closed}); !errors.Is(err, persistence.ErrUnavailable) ||
		!strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "secret") {
		t.Errorf("open where nothing listens: %v", err)
	}
	for name, tc := range map[string]struct {
		prepare [][]string
		want    error
		text    string
	}{
		"a text in the place of the store": {[][]string{{"SET", "{P}:meta", "x"}}, persistence.ErrNotHubStore, ""},
		"another hash":                     {[][]string{{"HSET", "{P}:meta", "x", "y"}}, persistence.ErrNotHubStore, ""},
		"another stream":                   {[][]string{{"XADD", "{P}:log", "*", "x", "y"}}, persistence.ErrNotHubStore, ""},
		"a newer format": {[][]string{{"HSET", "{P}:meta", "format", "hubd log 9", "store", "x", "key", strings.Repeat("00", 32),
			"before", "0", "head", "0", "sum", "0", "last", ""}}, nil, "newer version of the hub"},
		"a head without its event": {[][]string{{"HSET", "{P}:meta", "format", "hubd log 1", "store", "x", "key", strings.Repeat("00", 32),
			"before", "0", "head", "3", "sum", "0", "last", ""}}, persistence.ErrCorrupt, ""},
		"a key that is cut off": {[][]string{{"HSET", "{P}:meta", "format", "hubd log 1", "store", "x", "key", "00",
			"before", "0", "head", "0", "sum", "0", "last", ""}}, persistence.ErrCorrupt, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prefix := newPrefix()
			for _, words := range tc.prepare {
				words = slices.Clone(words)
				words[1] = strings.Replace(words[1], "P", prefix, 1)
				server.Must(t, words...)
			}
			log, err := Open(t.Context(), Options{URL: server.URL(), Prefix: prefix})
			if err == nil {
				_ = log.Close()
			}
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("open: %v, want %v %s", err, tc.want, tc.text)
			}
		})
	}
}

func TestCaveats(t *testing.T) {
	t.Parallel()
	r := engines.StartRedis(t)
	for _, tc := range []struct {
		settings map[string]string
		want     []string // parts of the caveats
	}{
		{map[string]string{}, nil},
		{map[string]string{"maxmemory": "100mb", "maxmemory-policy": "volatile-lru"}, nil},
		{map[string]string{"maxmemory-policy": "allkeys-lru"}, []string{"evict"}},
		{map[string]string{"appendfsync": "everysec"}, []string{"appendfsync everysec", "evict"}},
		{map[string]string{"appendonly": "no", "maxmemory": "0"}, []string{"append-only"}},
	} {
		for name, value := range tc.settings {
			r.Must(t, "CONFIG", "SET", name, value)
		}
		caveats := openLog(t, Options{URL: r.URL()}).Caveats()
		if len(caveats) != len(tc.want) {
			t.Errorf("with %v: caveats %q, want %d", tc.settings, caveats, len(tc.want))
			continue
		}
		for _, part := range tc.want {
			if !slices.ContainsFunc(caveats, func(c string) bool { return strings.Contains(c, part) }) {
				t.Errorf("with %v: caveats %q, want one of %q", tc.settings, caveats, part)
			}
		}
	}
	r.Must(t, "ACL", "SETUSER", "hub", "on", "nopass", "~*", "+@all", "-config")
	if caveats := openLog(t, Options{URL: "redis://hub:x@" + r.Address}).Caveats(); len(caveats) != 1 || !strings.Contains(caveats[0], "does not tell") {
		t.Errorf("where CONFIG is refused: %q", caveats)
	}
}

// Nothing of the index is left of ids that are out of the history.
func TestIndexIsPurged(t *testing.T) {
	t.Parallel()
	log := openLog(t, Options{URL: server.URL(), Retention: persistence.Retention{MaxEvents: 10}})
	ids := make([]string, 1500)
	for i := range ids {
		ids[i] = strings.Repeat("i", i+1)
	}
	appendTo(t, log, ids...)
	for range 10 {
		appendTo(t, log, "", "again")
	}
	for _, key := range []string{log.keys.ids, log.keys.chosen} {
		command := map[string]string{log.keys.ids: "ZCARD", log.keys.chosen: "LLEN"}[key]
		if n := server.Must(t, command, key); n != "5" {
			t.Errorf("%s has %s members, want 5", key, n)
		}
	}
	if n := server.Must(t, "LLEN", log.keys.ages); n != "5" {
		t.Errorf("%s has %s members, want one for each batch retained", log.keys.ages, n)
	}
}

// What is left of the index for a while after a bound was lowered is not found.
func TestIndexLagsBehind(t *testing.T) {
	t.Parallel()
	prefix := newPrefix()
	log := openLog(t, Options{URL: server.URL(), Prefix: prefix})
	ids := make([]string, 4000)
	for i := range ids {
		ids[i] = "id-" + strconv.Itoa(i)
	}
	appendTo(t, log, ids...)
	lowered := openLog(t, Options{URL: server.URL(), Prefix: prefix, Retention: persistence.Retention{MaxEvents: 1}})
	if n := server.Must(t, "ZCARD", log.keys.ids); n == "1" {
		t.Fatal("the index does not lag behind")
	}
	for i, id := range ids {
		if i%499 != 0 {
			continue
		}
		if position, found, err := lowered.Find(id); err != nil || found != (i == len(ids)-1) {
			t.Errorf("find %q is (%d, %t), %v", id, position, found, err)
		}
	}
	if position, found, err := lowered.Find(ids[len(ids)-1]); err != nil || !found || position != 4000 {
		t.Errorf("find of the newest is (%d, %t), %v", position, found, err)
	}
}

// A node's own appends cost it no fetch, although they wake its follower too.
func TestOwnAppendsAreNotFetched(t *testing.T) {
	t.Parallel()
	const batches = 200
	r := engines.StartRedis(t, "--appendonly", "no")
	log := openLog(t, Options{URL: r.URL()})
	r.Must(t, "CONFIG", "RESETSTAT")
	for range batches {
		appendTo(t, log, "", "own")
	}
	for line := range strings.Lines(r.Must(t, "INFO", "commandstats")) {
		_, text, found := strings.Cut(line, "cmdstat_evalsha:calls=")
		if !found {
			continue
		}
		text, _, _ = strings.Cut(text, ",")
		if n, err := strconv.Atoi(text); err != nil || n < batches || n > batches+batches/10 {
			t.Errorf("%d appends ran %s scripts, %v", batches, text, err)
		}
		return
	}
	t.Error("the server does not count scripts")
}

package config

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// keyed is an environment in which the hub starts: both keys are there.
func keyed(more ...string) []string {
	return append([]string{"HUBD_PUBLISHER_KEY=publish me", "HUBD_SUBSCRIBER_KEY=subscribe me"}, more...)
}

// writeFile returns the path of a configuration file with the content.
func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hubd.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load returns the valid configuration.
func load(t *testing.T, args, environ []string) *Config {
	t.Helper()
	c, err := Load(args, environ)
	if err != nil {
		t.Fatalf("Load(%q, %q): %v", args, environ, err)
	}
	return c
}

// problems returns what is wrong with a configuration that is not valid.
func problems(t *testing.T, args, environ []string) Problems {
	t.Helper()
	_, err := Load(args, environ)
	var found Problems
	if !errors.As(err, &found) {
		t.Fatalf("Load(%q, %q) = %v, want problems", args, environ, err)
	}
	return found
}

// expect fails unless one of the problems is about the key and its text holds the words.
func expect(t *testing.T, found Problems, key, words string) {
	t.Helper()
	if !slices.ContainsFunc(found, func(p Problem) bool { return p.Key == key && strings.Contains(p.Text, words) }) {
		t.Errorf("no problem with %s says %q; there are:\n%s", key, words, strings.ReplaceAll(found.Error(), "; ", "\n"))
	}
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	c := load(t, nil, keyed())
	want := Config{
		Listen:      "127.0.0.1:3000",
		AdminListen: "127.0.0.1:3001",
		TLSReload:   10 * time.Second, ACMEDir: "acme", HTTP2Streams: 250,
		Store:     c.Store,
		StoreWait: time.Minute, NodeLease: 15 * time.Second,
		History:            History{MaxEvents: 100_000},
		Publisher:          Key{Key: c.Publisher.Key, Alg: "HS256"},
		Subscriber:         Key{Key: c.Subscriber.Key, Alg: "HS256"},
		JWKSRefresh:        5 * time.Minute,
		RevocationTime:     24 * time.Hour,
		Protocol:           "both",
		GapNotice:          true,
		Heartbeat:          15 * time.Second,
		WriteTimeout:       10 * time.Minute,
		DispatchTimeout:    5 * time.Second,
		QueueBytes:         256 << 10,
		SelectorCacheBytes: 64 << 20,
		Drain:              10 * time.Second,
		MaxMatchers:        100,
		MaxTopics:          100,
		MaxBody:            1 << 20,
		MaxRevocations:     10_000,
		Handover:           true,
		MaxLag:             8192,
		PublishWait:        5 * time.Second,
		MaxPending:         4096,
		MaxPendingBytes:    8 << 20,
		RingBytes:          32 << 20,
		BatchBytes:         64 << 10,
		MaxTopicActors:     16384,
		EndedStreams:       4096,
		FanoutJournal:      16384,

		WatchdogMaxBytes:      64 << 20,
		WatchdogAfter:         time.Minute,
		WatchdogGoroutines:    512,
		WatchdogHeap:          64 << 20,
		WatchdogHeapPerStream: 8 << 10,

		LogLevel:  slog.LevelInfo,
		LogFormat: "text",
	}
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("Load() = %+v\nwant %+v", *c, want)
	}
	if got := c.Store.URL(); got != "bolt://hub.db" {
		t.Errorf("store = %q, want bolt://hub.db", got)
	}
	if got := c.Publisher.Key.Reveal(); got != "publish me" {
		t.Errorf("publisher key = %q", got)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "heartbeat: 4s\n")
	tests := map[string]struct {
		args, environ []string
		want          time.Duration
	}{
		"default":              {nil, nil, 15 * time.Second},
		"file":                 {[]string{"--config", file}, nil, 4 * time.Second},
		"file by variable":     {nil, []string{"HUBD_CONFIG=" + file}, 4 * time.Second},
		"environment":          {[]string{"--config", file}, []string{"HUBD_HEARTBEAT=3s"}, 3 * time.Second},
		"empty variable":       {[]string{"--config", file}, []string{"HUBD_HEARTBEAT="}, 4 * time.Second},
		"flag":                 {[]string{"--config", file, "--heartbeat", "2s"}, []string{"HUBD_HEARTBEAT=3s"}, 2 * time.Second},
		"flag with equal sign": {[]string{"--heartbeat=2s"}, []string{"HUBD_HEARTBEAT=3s"}, 2 * time.Second},
		"flag at its default":  {[]string{"--config", file, "--heartbeat=15s"}, []string{"HUBD_HEARTBEAT=3s"}, 15 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := load(t, test.args, keyed(test.environ...)).Heartbeat; got != test.want {
				t.Errorf("heartbeat = %s, want %s", got, test.want)
			}
		})
	}
}

func TestConfigFlagComesBeforeItsVariable(t *testing.T) {
	t.Parallel()
	flag, variable := writeFile(t, "heartbeat: 4s"), writeFile(t, "heartbeat: 5s\ndrain: 1s")
	c := load(t, []string{"--config=" + flag}, keyed("HUBD_CONFIG="+variable))
	if c.Heartbeat != 4*time.Second || c.Drain != 10*time.Second || c.File != flag {
		t.Errorf("heartbeat %s, drain %s of %s; want the file of the flag alone", c.Heartbeat, c.Drain, c.File)
	}
}

func TestBooleanIsTurnedOffByAnEarlierPlace(t *testing.T) {
	t.Parallel()
	c := load(t, []string{"--anonymous=false"}, keyed("HUBD_ANONYMOUS=true"))
	if c.Anonymous {
		t.Error("anonymous is true, want the flag to count")
	}
	c = load(t, []string{"--config", writeFile(t, "anonymous: true")}, keyed("HUBD_ANONYMOUS=false"))
	if c.Anonymous {
		t.Error("anonymous is true, want the variable to count")
	}
}

func TestEveryKindOfValueFromTheFile(t *testing.T) {
	t.Parallel()
	c := load(t, []string{"--config", writeFile(t, `
# Scalars are taken as they are written.
protocol: 1.0
issuer: https://issuer.example
history-max-events: 5
history-max-age: 24h
history-max-bytes: 2GB
queue-bytes: 64KiB
anonymous: yes
log-level: debug
cors-origins: [https://a.example, https://b.example]
admin-listen: ""
publisher-key: &key 12345
subscriber-key: *key
drain:
`)}, nil)
	if c.Protocol != "1.0" || c.History != (History{5, 24 * time.Hour, 2_000_000_000}) || c.QueueBytes != 64<<10 ||
		!c.Anonymous || c.LogLevel != slog.LevelDebug || c.AdminListen != "" || c.Drain != 10*time.Second {
		t.Errorf("Load() = %+v", *c)
	}
	if !slices.Equal(c.CORSOrigins, []string{"https://a.example", "https://b.example"}) {
		t.Errorf("cors-origins = %q", c.CORSOrigins)
	}
	if c.Publisher.Key.Reveal() != "12345" || c.Subscriber.Key.Reveal() != "12345" {
		t.Errorf("keys = %q and %q, want 12345", c.Publisher.Key.Reveal(), c.Subscriber.Key.Reveal())
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	want := []string{"https://a.example", "https://b.example"}
	for name, c := range map[string]*Config{
		"repeated flag":  load(t, []string{"--cors-origins", want[0], "--cors-origins", want[1]}, keyed()),
		"commas in flag": load(t, []string{"--cors-origins=" + strings.Join(want, ",")}, keyed()),
		"variable":       load(t, nil, keyed("HUBD_CORS_ORIGINS="+strings.Join(want, ","))),
		"text in file":   load(t, []string{"--config", writeFile(t, "cors-origins: "+strings.Join(want, ","))}, keyed()),
	} {
		if !slices.Equal(c.CORSOrigins, want) {
			t.Errorf("%s: cors-origins = %q, want %q", name, c.CORSOrigins, want)
		}
	}
}

func TestEmptyVariableTurnsTheAdminServerOff(t *testing.T) {
	t.Parallel()
	if c := load(t, nil, keyed("HUBD_ADMIN_LISTEN=")); c.AdminListen != "" {
		t.Errorf("admin-listen = %q, want it off", c.AdminListen)
	}
	if c := load(t, []string{"--admin-listen="}, keyed()); c.AdminListen != "" {
		t.Errorf("admin-listen = %q, want it off", c.AdminListen)
	}
}

func TestUnknownNamesAreErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args, environ []string
		key, words    string
	}{
		"key of the file":    {[]string{"--config", writeFile(t, "drain: 1s\nheartbeet: 3s")}, nil, "heartbeet", "line 2: no setting has this key; did you mean heartbeat?"},
		"underscores":        {[]string{"--config", writeFile(t, "publisher_key: x")}, nil, "publisher_key", "did you mean publisher-key?"},
		"config in the file": {[]string{"--config", writeFile(t, "config: other.yaml")}, nil, "config", "no setting has this key"},
		"nothing like it":    {[]string{"--config", writeFile(t, "colour: blue")}, nil, "colour", "remove it"},
		"variable":           {nil, []string{"HUBD_LISTNE=:80"}, "HUBD_LISTNE", "did you mean HUBD_LISTEN?"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := problems(t, test.args, keyed(test.environ...))
			expect(t, found, test.key, test.words)
			if len(found) != 1 {
				t.Errorf("there are %d problems, want 1: %v", len(found), found)
			}
		})
	}
}

func TestUnknownFlagIsAnError(t *testing.T) {
	t.Parallel()
	_, err := Load([]string{"--heartbeet=3s"}, keyed())
	if err == nil || !strings.Contains(err.Error(), `--heartbeet, did you mean "--heartbeat"?`) {
		t.Errorf("Load() = %v", err)
	}
}

// A service called hubd puts these variables into every container of its Kubernetes namespace.
func TestServiceVariablesAreNoSettings(t *testing.T) {
	t.Parallel()
	load(t, nil, keyed(
		"HUBD_SERVICE_HOST=10.0.0.1", "HUBD_SERVICE_PORT=80", "HUBD_SERVICE_PORT_HTTP=80", "HUBD_PORT=tcp://10.0.0.1:80",
		"HUBD_PORT_80_TCP=tcp://10.0.0.1:80", "HUBD_PORT_80_TCP_ADDR=10.0.0.1", "HUBD_ADMIN_PORT_3001_TCP_PROTO=tcp"))
}

func TestValuesThatDoNotFit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		args, environ []string
		key, words    string
	}{
		"duration":      {nil, []string{"HUBD_HEARTBEAT=15"}, "heartbeat", `HUBD_HEARTBEAT is "15"; write a duration such as 15s`},
		"number":        {nil, []string{"HUBD_MAX_TOPICS=many"}, "max-topics", "a whole number"},
		"size":          {nil, []string{"HUBD_MAX_BODY=1XiB"}, "max-body", "a size such as 256KiB"},
		"boolean":       {nil, []string{"HUBD_DEV=perhaps"}, "dev", "true or false"},
		"level":         {nil, []string{"HUBD_LOG_LEVEL=loud"}, "log-level", "debug, info, warn or error"},
		"line of file":  {[]string{"--config", writeFile(t, "\ndrain: soon")}, nil, "drain", `hubd.yaml line 2: is "soon"`},
		"list":          {[]string{"--config", writeFile(t, "drain: [1s, 2s]")}, nil, "drain", "one value, not a list"},
		"block":         {[]string{"--config", writeFile(t, "issuer:\n  name: x")}, nil, "issuer", "not a block"},
		"list of lists": {[]string{"--config", writeFile(t, "cors-origins: [[x]]")}, nil, "cors-origins", "not a plain text"},
		"twice":         {[]string{"--config", writeFile(t, "drain: 1s\nheartbeat: 2s\ndrain: 3s")}, nil, "drain", "in lines 1 and 3"},
		"size of the official image": {nil, []string{"MERCURE_TRANSPORT_URL=bolt://x.db?size=all"}, "history-max-events",
			`MERCURE_TRANSPORT_URL is "all"; write a whole number`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := problems(t, test.args, keyed(test.environ...))
			expect(t, found, test.key, test.words)
			if len(found) != 1 {
				t.Errorf("there are %d problems, want 1: %v", len(found), found)
			}
		})
	}
}

// A key that was given in a way that cannot be read is not missing too.
func TestAProblemIsNamedOnce(t *testing.T) {
	t.Parallel()
	found := problems(t, []string{"--config", writeFile(t, "publisher-key: [a, b]")}, keyed()[1:])
	expect(t, found, "publisher-key", "takes one value, not a list")
	if len(found) != 1 {
		t.Errorf("there are %d problems, want 1: %v", len(found), found)
	}
}

func TestAllProblemsAreFoundAtOnce(t *testing.T) {
	t.Parallel()
	found := problems(t, []string{"--config", writeFile(t, "colour: blue\ndrain: soon\n")}, []string{"HUBD_HEARTBEAT=x", "HUBD_STORE=ftp://x"})
	var keys []string
	for _, p := range found {
		keys = append(keys, p.Key)
	}
	want := []string{"colour", "store", "publisher-key", "subscriber-key", "heartbeat", "drain"}
	if !slices.Equal(keys, want) {
		t.Errorf("problems with %q, want %q", keys, want)
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	c := load(t, nil, keyed(
		"MERCURE_EXTRA_DIRECTIVES=anonymous", "MERCURE_LICENSE=", "MERCURE_PORT=tcp://10.0.0.1:80", "MERCURE_PUBLISHER_JWT_KEY=k",
		"MERCURE_TRANSPORT_URL=bolt://x.db?size=5&cleanup_frequency=0.3&bucket_name=b", "MERCURE_LOG_LEVEL=x",
	))
	want := []string{
		"MERCURE_EXTRA_DIRECTIVES is not read; set what it says with the hub's own variables, such as HUBD_ANONYMOUS or HUBD_CORS_ORIGINS",
		"MERCURE_LOG_LEVEL is not read",
		`MERCURE_TRANSPORT_URL: parameter "cleanup_frequency" is not read`,
		`MERCURE_TRANSPORT_URL: parameter "bucket_name" is not read`,
	}
	if !slices.Equal(c.Notes, want) {
		t.Errorf("notes are %q\nwant %q", c.Notes, want)
	}
}

package jetstream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"hubd/persistence"
)

func TestParseTarget(t *testing.T) {
	t.Parallel()
	got, err := parseTarget("nats://user:p%40ss@one:4222,two,three:4224/?stream=hub-2&replicas=3&storage=memory&domain=d")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(got.servers, " ") != "nats://one:4222 nats://two nats://three:4224" || got.hosts != "one:4222,two,three:4224" ||
		got.stream != "hub-2" || got.replicas != 3 || !got.memory || got.domain != "d" {
		t.Errorf("parsed %+v", got)
	}
	if got, err := parseTarget("nats://localhost"); err != nil || got.stream != DefaultStream || got.replicas != DefaultReplicas {
		t.Errorf("parsed %+v, %v", got, err)
	}
	for _, text := range []string{
		"", "nats://", "redis://localhost", "nats://localhost/hubd", "nats://one,,two", "nats://localhost?stream=a.b", "nats://localhost?stream=",
		"nats://localhost?replicas=0", "nats://localhost?replicas=x", "nats://localhost?storage=disk", "nats://localhost?colour=red",
		"nats://localhost?cert=a", "nats://localhost?key=a", "nats://localhost?stream=a&stream=b", "nats://a:secret%@localhost",
		"nats://localhost?nkey=/no/such/secret",
	} {
		_, err := parseTarget(text)
		if err == nil {
			t.Errorf("%q is accepted", text)
		} else if strings.Contains(err.Error(), "secret%") {
			t.Errorf("the error of %q repeats the password: %v", text, err)
		}
	}
}

func TestOptionsValidate(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{},
		{URL: "nats://localhost", Timeout: -1},
		{URL: "nats://localhost", Retention: persistence.Retention{MaxAge: -1}},
		{URL: "nats://localhost", Ring: persistence.RingOptions{Slots: 3}},
	} {
		if o.Validate() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestOpenUnreachable(t *testing.T) {
	t.Parallel()
	_, err := Open(context.Background(), Options{URL: "nats://hub:hunter2@127.0.0.1:1/?stream=s", Timeout: time.Second})
	if !errors.Is(err, persistence.ErrUnavailable) {
		t.Errorf("open of a server that is not there: %v", err)
	}
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("the error must name the host and not the password: %v", err)
	}
}

func TestOpenForeignStream(t *testing.T) {
	t.Parallel()
	url := sharedURL(t)
	n, err := server()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(n.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err == nil {
		_, name, _ := strings.Cut(url, "stream=")
		_, err = js.CreateStream(context.Background(), jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), Options{URL: url}); !errors.Is(err, persistence.ErrNotHubStore) {
		t.Errorf("open of a stream of others: %v", err)
	}
}

func TestCaveats(t *testing.T) {
	t.Parallel()
	log := openLog(t, newPlaceAt(sharedURL(t), time.Minute))
	said := strings.Join(log.Caveats(), "\n")
	if !strings.Contains(said, "one replica") || !strings.Contains(said, "sync_interval") || strings.Contains(said, "persist mode") {
		t.Errorf("caveats of a stream with one replica: %q", said)
	}
	var unwritten info
	unwritten.Config.PersistMode = "async"
	if said := strings.Join(log.weigh(unwritten), "\n"); !strings.Contains(said, "persist mode") {
		t.Errorf("caveats of a stream that is written later: %q", said)
	}
	said = strings.Join(openLog(t, newPlaceAt(sharedURL(t)+"&storage=memory", time.Minute)).Caveats(), "\n")
	if !strings.Contains(said, "in memory") {
		t.Errorf("caveats of a stream in memory: %q", said)
	}
}

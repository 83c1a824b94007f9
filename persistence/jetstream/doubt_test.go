package jetstream

import (
	"context"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"hubd/persistence/logtest"
)

// refuseTwice puts itself between the log and the API, and refuses the first two messages that are asked for. The log
// must not be in use.
func refuseTwice(t *testing.T, log *Log) {
	t.Helper()
	nc := dialServer(t)
	prefix, refused := "refused."+log.target.stream+".", 0
	serve(t, nc, prefix+">", func(m *nats.Msg) {
		call := strings.TrimPrefix(m.Subject, prefix)
		if strings.HasPrefix(call, "STREAM.MSG.GET.") && refused < 2 {
			refused++
			_ = m.Respond([]byte(`{"error":{"code":503,"description":"no leader"}}`))
			return
		}
		_ = nc.PublishRequest("$JS.API."+call, m.Reply, m.Data)
	})
	log.engine.prefix = prefix
}

// A batch whose answer was lost is refused when it is sent again. Where the engine cannot be asked then whether it has it
// already, it is not taken for another node's, and is stored once.
func TestDoubtOutlastsRefusals(t *testing.T) {
	t.Parallel()
	p := newPlaceAt(sharedURL(t), patience)
	opened, err := p.Open(logtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	log := p.log
	log.follower.Stop()
	sent := 0
	log.publish = func(ctx context.Context, messages []*nats.Msg, expected uint64, batch string) (uint64, error) {
		sent++
		sequence, err := log.engine.publish(ctx, messages, expected, batch)
		if sent == 1 && err == nil {
			refuseTwice(t, log)
			return 0, nats.ErrTimeout // the answer is lost
		}
		return sequence, err
	}
	if first, err := log.Append(batchOf("once")); err != nil || first != 1 {
		t.Fatalf("the batch is stored at %d: %v", first, err)
	}
	if _, head := log.Bounds(); head != 1 || sent < 2 {
		t.Errorf("after %d attempts the log has %d events, want 1", sent, head)
	}
}

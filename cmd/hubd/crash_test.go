package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

// crashSeed repeats the moments at which hubs are killed, as far as a moment can be repeated.
const crashSeed = 20261122

// I1 and I2 across crashes: hubs are killed at random moments under load, one after the other on one
// store. After each of them everything acknowledged is there, once, in order, and what was read
// before stands where it stood.
func TestKilledHubs(t *testing.T) {
	t.Parallel()
	kills := 58 // 50 of them under load
	if testing.Short() {
		kills = 5
	}
	random := rand.New(rand.NewPCG(crashSeed, 0))
	t.Logf("seed %d, %d kills", crashSeed, kills)
	c := &crashes{dir: t.TempDir(), token: "Bearer " + hubtest.Token(t, []string{"*"}, nil), next: make([]int, 4)}
	unborn := 0
	for kill := range kills {
		if kill%7 == 6 { // while it starts
			p := hubtest.Launch(t, c.dir, "--history-max-events=0", "--anonymous")
			<-time.After(time.Duration(random.IntN(60)) * time.Millisecond) // the moment is what is tried
			p.Kill(t)
			unborn++
			continue
		}
		p := hubtest.Start(t, c.dir, "--history-max-events=0", "--anonymous")
		c.check(t, p, fmt.Sprint("start ", kill))
		c.load(t, p, 1+random.IntN(120), time.Duration(random.IntN(3000))*time.Microsecond)
	}
	p := hubtest.Start(t, c.dir, "--history-max-events=0", "--anonymous", "--drain=0s")
	c.check(t, p, "the end")
	p.Stop(t)
	code, stdout, stderr := command([]string{"store", "verify", filepath.Join(c.dir, "hub.db")}, nil)
	if code != 0 || !strings.Contains(stdout, fmt.Sprintf("events: %d\n", len(c.history))) {
		t.Errorf("verify: exit code %d\n%s%s", code, stdout, stderr)
	}
	if len(c.acknowledged) < kills {
		t.Errorf("only %d updates were acknowledged", len(c.acknowledged))
	}
	t.Logf("%d hubs killed, %d of them while they started; %d updates acknowledged, %d stored", kills, unborn, len(c.acknowledged), len(c.history))
}

// crashes is what is known of the updates across hubs.
type crashes struct {
	dir, token string
	next       []int // of each publisher, the number of its next update

	// mu guards acknowledged while publishers run.
	mu           sync.Mutex
	acknowledged []string // data
	history      []string // data, as it was read last
}

// load publishes from several connections at once, and kills the hub some time after it has acknowledged
// a number of updates.
func (c *crashes) load(t *testing.T, p *hubtest.Process, acknowledgements int, delay time.Duration) {
	t.Helper()
	var left atomic.Int64
	left.Store(int64(acknowledgements))
	enough := make(chan struct{})
	var publishers sync.WaitGroup
	for i := range c.next {
		publishers.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				data := fmt.Sprintf("%d %d", i, c.next[i])
				c.next[i]++
				if err := publishOnce(t.Context(), client, p.URL, c.token, data, c.next[i]%3 == 0); err != nil {
					return // killed
				}
				c.mu.Lock()
				c.acknowledged = append(c.acknowledged, data)
				c.mu.Unlock()
				if left.Add(-1) == 0 {
					close(enough)
				}
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(hubtest.Patience):
		t.Error("the hub does not acknowledge enough")
	}
	<-time.After(delay) // the moment is what is tried
	p.Kill(t)
	publishers.Wait()
}

// publishOnce publishes data to a topic, with an id of its own if so asked, and returns nil once it is acknowledged.
func publishOnce(ctx context.Context, client *http.Client, hub, token, data string, own bool) error {
	form := url.Values{"topic": {topic}, "data": {data}}
	if own {
		form.Set("id", "urn:example:"+data)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hub, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", formType)
	req.Header.Set("Authorization", token)
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", res.StatusCode, body)
	}
	return err
}

// check reads the whole history and compares it with what it has to be.
func (c *crashes) check(t *testing.T, p *hubtest.Process, last string) {
	t.Helper()
	p.PublishData(t, topic, last)
	s := p.Subscribe(t, "topic="+enc(topic)+"&lastEventID=earliest")
	defer s.Close()
	var history []string
	for len(history) == 0 || history[len(history)-1] != last {
		history = append(history, s.Next(t).Data)
	}
	if n := len(c.history); len(history) < n || !slices.Equal(history[:n], c.history) {
		t.Fatalf("of %d updates that were read before the crash, not all are where they were", n)
	}
	c.history = history
	c.acknowledged = append(c.acknowledged, last)

	place := make(map[string]int, len(history))
	for i, data := range history {
		if before, twice := place[data]; twice {
			t.Fatalf("update %q is at %d and at %d", data, before, i)
		}
		place[data] = i
	}
	newest := make([]int, len(c.next)) // of each publisher, the place of its last update so far
	for _, data := range c.acknowledged {
		at, found := place[data]
		if !found {
			t.Fatalf("update %q was acknowledged and is lost", data)
		}
		i, err := strconv.Atoi(strings.Fields(data)[0])
		if err != nil {
			continue // one of check
		}
		if at < newest[i] {
			t.Fatalf("update %q is at %d, an earlier one at %d", data, at, newest[i])
		}
		newest[i] = at
	}
}

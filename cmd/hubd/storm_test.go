package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hubd/internal/hubtest"
)

// The range of the reconnection time that a hub gives the streams that it ends; docs/reliability.md states it.
const (
	earliestReturn = 500 * time.Millisecond
	latestReturn   = 3 * time.Second
)

// visit is what a client got on one connection, up to its end.
type visit struct {
	data   []string
	lastID string
	// retry is the reconnection time that the hub set last, or 0.
	retry time.Duration
	err   error
}

// attend subscribes to everything, calls opened when the response head is there, and reads until the hub ends the
// stream, or until an event has the data last. A client library would keep the reconnection time to itself.
func attend(ctx context.Context, client *http.Client, hub, cursor, last string, opened func()) (v visit) {
	ctx, cancel := context.WithTimeout(ctx, hubtest.Patience)
	defer cancel()
	v.lastID = cursor
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, hub+"?topic=*", nil)
	if err != nil {
		v.err = err
		return v
	}
	if cursor != "" {
		req.Header.Set("Last-Event-ID", cursor)
	}
	res, err := client.Do(req)
	if err != nil {
		v.err = err
		return v
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		v.err = fmt.Errorf("status %d: %s", res.StatusCode, text)
		return v
	}
	opened()
	lines := bufio.NewScanner(res.Body)
	for id := ""; lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			v.data = append(v.data, value)
		case "retry":
			ms, err := strconv.Atoi(value)
			if err != nil {
				v.err = err
				return v
			}
			v.retry = time.Duration(ms) * time.Millisecond
		case "": // the end of an event
			if id != "" {
				v.lastID = id
			}
			if n := len(v.data); n > 0 && v.data[n-1] == last {
				return v
			}
		}
	}
	v.err = lines.Err()
	return v
}

// crowd is a number of clients that come and go together.
type crowd struct {
	client *http.Client
	visits []visit // the last of each client
}

// attend lets every client subscribe with its cursor. It returns when all streams are open; wait then waits for their ends.
func (c *crowd) attend(t *testing.T, hub, last string) (wait func()) {
	t.Helper()
	var opened, ended sync.WaitGroup
	opened.Add(len(c.visits))
	for i := range c.visits {
		ended.Go(func() {
			once := sync.OnceFunc(opened.Done)
			defer once()
			c.visits[i] = attend(t.Context(), c.client, hub, c.visits[i].lastID, last, once)
		})
	}
	opened.Wait()
	return func() {
		t.Helper()
		ended.Wait()
		for i := range c.visits {
			if err := c.visits[i].err; err != nil {
				t.Fatalf("client %d: %v", i, err)
			}
		}
	}
}

// expect demands that every client has got these data, in this order, and nothing else.
func (c *crowd) expect(t *testing.T, data ...string) {
	t.Helper()
	for i := range c.visits {
		if got := c.visits[i].data; !slices.Equal(got, data) {
			t.Fatalf("client %d got %q, want %q", i, got, data)
		}
	}
}

// A hub that stops gives each of its streams another time to come back at, so that they do not come together. With
// their cursors all of them get everything from the next hub, once and in order.
func TestStreamsComeBackSpread(t *testing.T) {
	t.Parallel()
	const n = 200
	dir := t.TempDir()
	flags := []string{"--anonymous", "--drain=1s"}
	hub := hubtest.Start(t, dir, flags...)
	c := &crowd{client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, visits: make([]visit, n)}
	wait := c.attend(t, hub.URL, "")
	hub.AwaitMetric(t, "mercure_subscribers_connected", fmt.Sprint(n))
	for _, data := range []string{"1", "2", "3"} {
		hub.PublishData(t, topic, data)
	}
	hub.Signal(t, syscall.SIGTERM)
	wait()
	if code := hub.Wait(t); code != 0 {
		t.Fatalf("hubd ended with code %d", code)
	}
	c.expect(t, "1", "2", "3")

	times := make(map[time.Duration]bool)
	earliest, latest := latestReturn, earliestReturn
	for i := range c.visits {
		at := c.visits[i].retry
		if at < earliestReturn || at > latestReturn {
			t.Fatalf("client %d is to come back after %s, want %s to %s", i, at, earliestReturn, latestReturn)
		}
		times[at] = true
		earliest, latest = min(earliest, at), max(latest, at)
	}
	// Of 200 times that are spread evenly, these do not hold once in 10^15.
	span := latestReturn - earliestReturn
	if len(times) < n/2 || earliest > earliestReturn+span/4 || latest < latestReturn-span/4 {
		t.Errorf("the times to come back at are %d different ones, from %s to %s", len(times), earliest, latest)
	}

	hub = hubtest.Start(t, dir, flags...)
	for _, data := range []string{"4", "5"} {
		hub.PublishData(t, topic, data)
	}
	wait = c.attend(t, hub.URL, "end")
	hub.PublishData(t, topic, "end")
	wait()
	c.expect(t, "4", "5", "end")
	hub.Stop(t)
}

package js

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"hubd/auth"
	"hubd/clients/browsertest"
	"hubd/internal/hubtest"
	"hubd/mercure"
)

const topic = "https://example.com/books/1"

// listener is a page that follows a stream with the client and keeps what it is told.
const listener = `<!doctype html><meta charset="utf-8"><title>test</title><body><script type="module">
import * as client from "/client/index.js";
const log = { ids: [], data: [], gaps: [], states: [], errors: [], tokens: [] };
Object.assign(window, {
	client, log,
	token: (query = "") => async (why) => {
		log.tokens.push(why.refused);
		return (await fetch("/token" + query)).text();
	},
	listen: (options) => {
		window.subscription = client.subscribe({
			onEvent: (e) => { log.ids.push(e.id); log.data.push(e.data); document.body.textContent = log.data.length; },
			onGap: (gap) => log.gaps.push(gap),
			onState: (state) => log.states.push(state),
			onError: (error) => log.errors.push(error.message),
			...options,
		});
	},
	ready: true,
});
</script>`

// site is the origin of an application: it serves the client, a page and tokens.
type site struct {
	url string

	// mu guards tokens.
	mu sync.Mutex
	// tokens is how many were asked for.
	tokens int
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := new(site)
	mux := http.NewServeMux()
	mux.Handle("GET /client/", http.StripPrefix("/client/", http.FileServerFS(Files())))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(listener)) })
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.tokens++
		first := s.tokens == 1
		s.mu.Unlock()
		life := time.Hour
		if text := r.FormValue("life"); text != "" {
			life, _ = time.ParseDuration(text)
		}
		if r.FormValue("first") == "expired" && first {
			life = -time.Hour
		}
		_, _ = w.Write([]byte(hubtest.Mint(t, auth.MintOptions{
			Dialect: auth.V0, Expires: time.Now().Add(life), Subscribe: []mercure.Matcher{{Type: mercure.Exact, Pattern: topic}},
		})))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *site) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens
}

// hub starts a hub that pages of the site may use.
func (s *site) hub(t *testing.T, dir string, args ...string) *hubtest.Process {
	t.Helper()
	return hubtest.Start(t, dir, append([]string{"--drain=0s", "--cors-origins=" + s.url}, args...)...)
}

// show opens the page in the tab and subscribes.
func (s *site) show(t *testing.T, tab *browsertest.Tab, hub *hubtest.Process, options string) {
	t.Helper()
	tab.Open(t, s.url)
	tab.Await(t, `window.ready`)
	listen(t, tab, hub, options)
	tab.Await(t, `subscription.state === "open"`)
}

// listen subscribes in a page that is open.
func listen(t *testing.T, tab *browsertest.Tab, hub *hubtest.Process, options string) {
	t.Helper()
	tab.Do(t, fmt.Sprintf(`listen({hub: %q, topic: %q, ...%s})`, hub.URL, topic, options))
}

// private publishes a private update.
func private(t *testing.T, hub *hubtest.Process, data string) string {
	t.Helper()
	return hub.Publish(t, map[string][]string{"topic": {topic}, "data": {data}, "private": {"on"}})
}

// expectIDs waits until the tab has the last of the ids and demands that it has exactly these, in order.
func expectIDs(t *testing.T, tab *browsertest.Tab, ids []string) {
	t.Helper()
	tab.Await(t, fmt.Sprintf(`log.ids.at(-1) === %q`, ids[len(ids)-1]))
	want, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	if got := tab.Text(t, `JSON.stringify(log.ids)`); got != string(want) {
		t.Errorf("the page has %d events %.400s, want %d: %.400s", countOf(t, got), got, len(ids), want)
	}
}

func countOf(t *testing.T, text string) int {
	t.Helper()
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	return len(list)
}

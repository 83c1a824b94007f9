package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is what the checks wait for that have something to wait for; brief is for those that wait in vain.
const (
	patience = 30 * time.Second
	brief    = 3 * time.Second
)

const hubPath = "/.well-known/mercure"

// fake answers as a hub does, in the ways that the checks look at, and in those that are wrong as it is told.
type fake struct {
	*httptest.Server
	// answer may take a request in place of the hub.
	answer func(w http.ResponseWriter, r *http.Request) bool
	// quiet keeps everything that streams are sent.
	quiet bool
	// beats is how often a silent stream gets a comment, and life after which it is ended; zero is never.
	beats, life time.Duration

	mu      sync.Mutex
	streams map[chan string]bool
	history []string
}

func newFake(t *testing.T, secure bool) *fake {
	t.Helper()
	f := &fake{streams: make(map[chan string]bool), beats: 10 * time.Millisecond}
	f.Server = httptest.NewUnstartedServer(f)
	f.EnableHTTP2 = secure
	if secure {
		f.StartTLS()
	} else {
		f.Start()
	}
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if f.answer != nil && f.answer(w, r) {
		return
	}
	switch {
	case r.URL.Path == "/healthz":
		fmt.Fprintln(w, "ok")
	case r.URL.Path == metadataPrefix+hubPath:
		fmt.Fprintf(w, `{"resource":%q,"mercure_cookie":"session"}`, f.URL+hubPath)
	case r.URL.Path != hubPath:
		http.NotFound(w, r)
	case strings.HasSuffix(r.Header.Get("Cookie"), "=not.a.token"):
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodOptions:
		f.allow(h)
		h.Set("Access-Control-Allow-Headers", "Authorization, Last-Event-ID")
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost:
		f.publish(w, r)
	default:
		f.allow(h)
		f.stream(w, r)
	}
}

func (f *fake) allow(h http.Header) {
	h.Set(allowOrigin, "https://page.example")
	h.Set(allowCredentials, "true")
}

func (f *fake) publish(w http.ResponseWriter, r *http.Request) {
	data := r.FormValue("data")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.history = append(f.history, data)
	for s := range f.streams {
		s <- data
	}
	fmt.Fprint(w, len(f.history))
}

func (f *fake) stream(w http.ResponseWriter, r *http.Request) {
	events := make(chan string, 64)
	f.mu.Lock()
	f.streams[events] = true
	var n int
	if _, err := fmt.Sscan(r.Header.Get("Last-Event-ID"), &n); err == nil {
		for _, data := range f.history[n:] {
			events <- data
		}
	}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.streams, events)
		f.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := w.(http.Flusher)
	send := func(text string) {
		if !f.quiet {
			fmt.Fprint(w, text)
			flusher.Flush()
		}
	}
	send(":\n")
	var beat, end <-chan time.Time
	if f.beats > 0 {
		ticker := time.NewTicker(f.beats)
		defer ticker.Stop()
		beat = ticker.C
	}
	if f.life > 0 {
		timer := time.NewTimer(f.life)
		defer timer.Stop()
		end = timer.C
	}
	for {
		select {
		case data := <-events:
			send("data: " + data + "\n\n")
		case <-beat:
			send(":\n")
		case <-end:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// examine examines the fake.
func (f *fake) examine(t *testing.T, change func(*Options)) *Report {
	t.Helper()
	o := Options{URL: f.URL + hubPath, Origin: "https://page.example", Patience: patience, Watch: patience}
	if f.TLS != nil {
		roots := x509.NewCertPool()
		roots.AddCert(f.Certificate())
		o.TLS = &tls.Config{RootCAs: roots}
	}
	if change != nil {
		change(&o)
	}
	report, err := Examine(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// expect demands the status of a check, and a text in what it says.
func (r *Report) expect(t *testing.T, check string, want Status, text string) {
	t.Helper()
	for _, f := range r.Findings {
		if f.Check == check {
			if f.Status != want || !strings.Contains(f.Text+" "+f.Advice, text) {
				t.Errorf("%s is %q: %s (%s); want %q with %q", check, f.Status, f.Text, f.Advice, want, text)
			}
			if f.Status == Failure && f.Advice == "" {
				t.Errorf("%s fails and nothing says what to do", check)
			}
			return
		}
	}
	t.Errorf("there is no finding for %s in %+v", check, r.Findings)
}

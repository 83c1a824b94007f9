package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"hubd/auth"
	"hubd/internal/hubtest"
)

// A hub without fault has no failure, with every check made.
func TestRealHub(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, t.TempDir(), "--heartbeat=1s", "--cors-origins=https://page.example", "--cookie-name=session", "--issuer=https://issuer.example")
	key := Credential{Key: auth.Key{Material: []byte(hubtest.Secret)}}
	for _, issuer := range []string{"", "https://issuer.example"} {
		o := Options{URL: hub.URL, Admin: hub.Admin, Origin: "https://page.example", Publisher: key, Subscriber: key, Issuer: issuer, Patience: patience, Watch: patience}
		report, err := Examine(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, check := range []string{"reach", "discovery", "dialects", "cors", "cookies", "exposure", "subscribe", "publish", "delivery", "resume", "clock", "limits", "heartbeat"} {
			report.expect(t, check, OK, "")
		}
		var table, document bytes.Buffer
		if report.WriteTable(&table) != nil || report.WriteJSON(&document) != nil {
			t.Error("the report cannot be written")
		}
		for _, text := range []string{table.String(), document.String()} {
			if strings.Contains(text, hubtest.Secret) || strings.Contains(text, "eyJ") {
				t.Errorf("a secret is in the report:\n%s", text)
			}
		}
	}
}

// What a real hub refuses is told apart.
func TestRealHubRefuses(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, t.TempDir(), "--heartbeat=0", "--cors-origins=https://other.example", "--public-url=https://hub.example/.well-known/mercure")
	wrong := Credential{Key: auth.Key{Material: []byte("another secret, long enough for HS256")}}
	o := Options{URL: hub.URL, Origin: "https://page.example", Publisher: wrong, Subscriber: wrong, Patience: patience, Watch: -1}
	report, err := Examine(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	report.expect(t, "cors", Failure, "--cors-origins=https://page.example")
	report.expect(t, "subscribe", Failure, "refuses the subscriber's token")
	report.expect(t, "discovery", Failure, "--public-url="+hub.URL)
	report.expect(t, "heartbeat", Skipped, "")

	right := Credential{Key: auth.Key{Material: []byte(hubtest.Secret)}}
	o.Subscriber, o.Watch = right, 100*time.Millisecond
	if report, err = Examine(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	report.expect(t, "publish", Failure, "refuses the publisher's token")

	o.Publisher = Credential{Token: hubtest.Token(t, []string{"https://example.com/granted"}, nil)}
	if report, err = Examine(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	report.expect(t, "publish", Failure, "--topic")

	o.Publisher = right
	if report, err = Examine(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	report.expect(t, "delivery", OK, "")
	report.expect(t, "heartbeat", Warning, "--heartbeat")

	o.Publisher, o.Subscriber = Credential{}, Credential{}
	if report, err = Examine(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	report.expect(t, "subscribe", Skipped, "--subscriber-key-file")
}

// The clock of the examiner is wrong instead of the hub's.
func TestClocks(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, t.TempDir(), "--anonymous")
	for want, offset := range map[string]time.Duration{"ahead": -time.Minute, "behind": time.Minute} {
		o := Options{
			URL: hub.URL, Publisher: Credential{Key: auth.Key{Material: []byte(hubtest.Secret)}}, Patience: patience, Watch: -1,
			Now: func() time.Time { return time.Now().Add(offset) },
		}
		report, err := Examine(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		report.expect(t, "clock", Failure, want)
	}
	f := newFake(t, false)
	f.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		return false
	}
	f.examine(t, nil).expect(t, "clock", Warning, "differs")
}

func TestFakes(t *testing.T) {
	t.Parallel()
	on := func(method, path string, answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path || r.Method != method {
				return false
			}
			answer(w, r)
			return true
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, c := range map[string]struct {
		change func(*fake)
		check  string
		status Status
		text   string
		// vain is that a wait is to end without what it is for.
		vain bool
	}{
		"nothing is wrong":        {nil, "delivery", OK, "nothing buffers", false},
		"a buffer":                {func(f *fake) { f.quiet = true }, "buffering", Failure, "proxy_buffering off", true},
		"no heartbeat":            {func(f *fake) { f.beats = 0 }, "heartbeat", Warning, "stayed open", true},
		"cut before a heartbeat":  {func(f *fake) { f.beats, f.life = 0, 3*time.Second }, "heartbeat", Failure, "--heartbeat=", false},
		"not ready":               {func(f *fake) { f.answer = on("GET", "/healthz", status(503)) }, "reach", Failure, "/readyz", false},
		"no hub behind the proxy": {func(f *fake) { f.answer = on("GET", "/healthz", status(502)) }, "reach", Failure, "is the hub running", false},
		"health is not routed":    {func(f *fake) { f.answer = on("GET", "/healthz", status(404)) }, "reach", Warning, "route /healthz", false},
		"a redirect":              {func(f *fake) { f.answer = on("GET", "/healthz", status(301)) }, "reach", Warning, "redirect", false},
		"metadata is not routed":  {func(f *fake) { f.answer = on("GET", metadataPrefix+hubPath, status(404)) }, "discovery", Warning, "route", false},
		"metadata of another": {func(f *fake) {
			f.answer = on("GET", metadataPrefix+hubPath, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"resource":"http://10.0.0.1/"}`)
			})
		}, "discovery", Failure, "--public-url=", false},
		"0.x alone": {func(f *fake) {
			f.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if alone := r.URL.Query().Has("match") && !r.URL.Query().Has("topic"); !alone {
					return false
				}
				w.WriteHeader(http.StatusBadRequest)
				return true
			}
		}, "dialects", OK, "0.x only", false},
		"no page": {func(f *fake) { f.answer = on("OPTIONS", hubPath, status(204)) }, "cors", Failure, "--cors-origins=https://page.example", false},
		"preflight takes a token": {func(f *fake) {
			f.answer = on("OPTIONS", hubPath, func(w http.ResponseWriter, _ *http.Request) { f.allow(w.Header()); w.WriteHeader(401) })
		}, "cors", Failure, "let OPTIONS through", false},
		"CORS by the proxy as well": {func(f *fake) {
			f.answer = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != "OPTIONS" {
					return false
				}
				w.Header()[allowOrigin] = []string{"https://page.example", "*"}
				w.WriteHeader(204)
				return true
			}
		}, "cors", Failure, "leave them to the hub", false},
		"every origin with cookies": {func(f *fake) {
			f.answer = on("OPTIONS", hubPath, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(allowOrigin, r.Header.Get("Origin"))
				w.Header().Set(allowCredentials, "true")
				w.Header().Set("Access-Control-Allow-Headers", "Authorization, Last-Event-ID")
			})
		}, "cors", Failure, "every page on the web", false},
		"headers are not allowed": {func(f *fake) {
			f.answer = on("OPTIONS", hubPath, func(w http.ResponseWriter, _ *http.Request) { f.allow(w.Header()) })
		}, "cors", Failure, "authorization", false},
		"cookies are stripped": {func(f *fake) {
			f.answer = func(_ http.ResponseWriter, r *http.Request) bool { r.Header.Del("Cookie"); return false }
		}, "cookies", Warning, "does not reach", false},
		"cursors are stripped": {func(f *fake) {
			f.answer = func(_ http.ResponseWriter, r *http.Request) bool { r.Header.Del("Last-Event-ID"); return false }
		}, "resume", Failure, "Last-Event-ID", true},
		"admin is public": {func(f *fake) {
			f.answer = on("GET", "/metrics", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hubd_ready 1\n") })
		}, "exposure", Failure, "--admin-listen", false},
		"publishes are refused": {func(f *fake) { f.answer = on("POST", hubPath, status(405)) }, "publish", Failure, "405", false},
		"compressed": {func(f *fake) {
			f.answer = on("GET", hubPath, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				w.Header().Set("Content-Encoding", "gzip")
			})
		}, "subscribe", Failure, "compression", false},
		"a page instead of a stream": {func(f *fake) {
			f.answer = on("GET", hubPath, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
		}, "subscribe", Failure, "something in between", false},
		"too many": {func(f *fake) { f.answer = on("GET", hubPath, status(429)) }, "subscribe", Failure, "--max-connections", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, false)
			if c.change != nil {
				c.change(f)
			}
			f.examine(t, func(o *Options) {
				if c.vain {
					o.Patience, o.Watch = brief, brief
				}
			}).expect(t, c.check, c.status, c.text)
		})
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	f := newFake(t, true)
	good := f.examine(t, nil)
	good.expect(t, "tls", OK, "valid until")
	good.expect(t, "http2", OK, "")
	soon := func(o *Options) {
		end := f.Certificate().NotAfter
		o.TLS.Time = func() time.Time { return end.Add(-24 * time.Hour) }
		o.Now = o.TLS.Time
	}
	f.examine(t, func(o *Options) { o.Watch = -1; soon(o) }).expect(t, "tls", Warning, "1 days from now")
	f.examine(t, func(o *Options) {
		end := f.Certificate().NotAfter
		o.TLS.Time = func() time.Time { return end.Add(time.Hour) }
	}).expect(t, "reach", Failure, "renew the certificate")
	f.examine(t, func(o *Options) { o.TLS = nil }).expect(t, "reach", Failure, "SSL_CERT_FILE")
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	f := newFake(t, false)
	f.Close()
	report := f.examine(t, nil)
	report.expect(t, "reach", Failure, "running and listening")
	if len(report.Findings) != 1 {
		t.Errorf("after that there is more: %+v", report.Findings)
	}
}

func TestQuick(t *testing.T) {
	t.Parallel()
	f := newFake(t, false)
	report, err := Quick(t.Context(), Options{URL: f.URL + hubPath, Patience: patience})
	if err != nil || len(report.Findings) != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	report.expect(t, "reach", OK, "ready")
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		metrics string
		status  Status
		text    string
	}{
		"room":      {"process_max_fds 65536\nprocess_open_fds 100\nhubd_connections{a=\"b\"} 7\n", OK, "100 of 65536"},
		"few":       {"process_max_fds 1024\nprocess_open_fds 20\n", Warning, "LimitNOFILE"},
		"near full": {"process_max_fds 65536\nprocess_open_fds 60000\n", Failure, "LimitNOFILE"},
		"unknown":   {"go_goroutines 5\n", Skipped, "does not tell"},
	} {
		f, admin := newFake(t, false), newFake(t, false)
		admin.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/readyz" {
				http.Error(w, "disk full", http.StatusServiceUnavailable)
				return true
			}
			_, _ = io.WriteString(w, c.metrics)
			return true
		}
		report := f.examine(t, func(o *Options) { o.Admin, o.Watch = admin.URL+"/", -1 })
		report.expect(t, "limits", c.status, c.text)
		found := false
		for _, finding := range report.Findings {
			found = found || finding.Check == "ready" && strings.Contains(finding.Text, "disk full")
		}
		if !found {
			t.Errorf("%s: the report does not say why the hub is not ready", name)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"no URL": {}, "not http": {URL: "ftp://a/"}, "a query": {URL: "http://a/?b"}, "no host": {URL: "http:///a"}, "not a URL": {URL: "http://[a"},
		"admin": {URL: "http://a/", Admin: "localhost:3001"}, "origin with a path": {URL: "http://a/", Origin: "https://b/c"},
		"no origin": {URL: "http://a/", Origin: "b"}, "algorithm": {URL: "http://a/", Publisher: Credential{Key: auth.Key{Material: []byte("a"), Algorithm: "none"}}},
	} {
		if _, err := Examine(context.Background(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a server says cannot steer the terminal.
func TestReportIsPrintable(t *testing.T) {
	t.Parallel()
	r := &Report{URL: "http://a/", Findings: []Finding{{"reach", Failure, "a\x1b[31m\u009bb", "c\nd"}}}
	var table, document bytes.Buffer
	if err := r.WriteTable(&table); err != nil || strings.ContainsAny(table.String(), "\x1b\u009b") {
		t.Errorf("%v, %q", err, table.String())
	}
	if err := r.WriteJSON(&document); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(document.Bytes(), &back); err != nil || back.Findings[0] != r.Findings[0] {
		t.Errorf("%v, %+v", err, back)
	}
}

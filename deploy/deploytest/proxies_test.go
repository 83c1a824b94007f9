package deploytest

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hubd/internal/hubtest"
)

const topic = "https://example.com/books/1"

func everySoftware() []software { return []software{nginx(), haproxy(), caddy(), apache()} }

// Through each proxy with its shipped configuration, only the idle time-out made shorter: a stream outlives that time-out by
// the hub's heartbeats, updates come while it stays open, and a client misses nothing when the proxy is reloaded and when it
// is restarted.
func TestStreamsThroughProxies(t *testing.T) {
	t.Parallel()
	for _, s := range everySoftware() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p, hub := startProxy(t, s, "3", []string{"--anonymous", "--subscriptions", "--heartbeat=1s"})
			f := follow(t, p.client, p.url+"?topic="+url.QueryEscape(topic))
			receive(t, f.opened, "the stream")
			p.publish(t, "at once")
			f.expect(t, "at once")
			p.passesOn(t)

			for range 6 { // six seconds, twice the time-out
				receive(t, f.beats, "a heartbeat")
			}
			p.publish(t, "after a silence")
			f.expect(t, "after a silence")
			if n := f.streams.Load(); n != 1 {
				t.Errorf("the stream was cut: it was opened %d times", n)
			}

			s.reload(t, p)
			p.await(t)
			p.publish(t, "after a reload")
			f.expect(t, "after a reload")

			p.stop()
			receive(t, f.ended, "the end of the stream")
			form := url.Values{"topic": {topic}, "data": {"while the proxy was away"}}
			a := hubtest.Do(t, http.MethodPost, hub.URL, form.Encode(), "Host", "localhost:"+p.site.port, "Authorization", publisher(t))
			if a.Status != http.StatusOK {
				t.Fatalf("publishing to the hub: status %d: %s", a.Status, a.Body)
			}
			p.start(t)
			f.expect(t, "while the proxy was away")
			p.publish(t, "after a restart")
			f.expect(t, "after a restart")
		})
	}
}

// Without heartbeats each of them cuts a stream at the time-out that the test above has made short. Otherwise that test
// would prove nothing.
func TestProxiesCutSilentStreams(t *testing.T) {
	t.Parallel()
	for _, s := range everySoftware() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p, _ := startProxy(t, s, "3", []string{"--anonymous", "--heartbeat=0"})
			f := follow(t, p.client, p.url+"?topic="+url.QueryEscape(topic))
			receive(t, f.opened, "the stream")
			receive(t, f.ended, "the end of the stream")
		})
	}
}

// The check of each proxy's own refuses a broken copy of its file.
func TestProxiesRefuseBrokenFiles(t *testing.T) {
	t.Parallel()
	for _, s := range everySoftware() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := placeProxy(t, s, "8443", "127.0.0.1:3000", "60")
			if out, err := p.command(append(s.check, p.arguments...)...).CombinedOutput(); err != nil {
				t.Errorf("%s refuses the shipped file: %v\n%s", s.name, err, out)
			}
			p = placeProxy(t, s, "8443", "127.0.0.1:3000", "60", s.breakage[0], s.breakage[1])
			if out, err := p.command(append(s.check, p.arguments...)...).CombinedOutput(); err == nil {
				t.Errorf("%s takes a file with %q:\n%s", s.name, s.breakage[1], out)
			}
		})
	}
}

func publisher(t testing.TB) string { return "Bearer " + hubtest.Token(t, []string{"*"}, nil) }

// publish publishes through the proxy.
func (p *proxy) publish(t testing.TB, data string) {
	t.Helper()
	form := url.Values{"topic": {topic}, "data": {data}}
	res, body := p.do(t, http.MethodPost, p.url, form.Encode(), "Authorization", publisher(t))
	if res.StatusCode != http.StatusOK {
		t.Fatalf("publishing through %s: status %d: %s", p.name, res.StatusCode, body)
	}
}

// passesOn looks at what else has to reach the hub: the host and the scheme, HTTP/2 to the client, the method QUERY, encoded
// slashes in paths, cookies and preflights; and that what is not the hub's does not.
func (p *proxy) passesOn(t testing.TB) {
	t.Helper()
	root := strings.TrimSuffix(p.url, "/.well-known/mercure")
	res, body := p.do(t, http.MethodGet, root+"/.well-known/oauth-protected-resource/.well-known/mercure", "")
	if want := `"resource":"` + p.url + `"`; !strings.Contains(body, want) {
		t.Errorf("the hub does not learn how clients call it: status %d, %s; want %s", res.StatusCode, body, want)
	}
	if res.ProtoMajor != 2 {
		t.Errorf("clients get %s, want HTTP/2", res.Proto)
	}
	query, _ := http.NewRequestWithContext(t.Context(), "QUERY", p.url, strings.NewReader("topic="+url.QueryEscape(topic)))
	query.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := p.client.Do(query)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("the method QUERY is answered %d", answer.StatusCode)
	}
	token := "Bearer " + hubtest.Token(t, nil, []string{"*"})
	res, body = p.do(t, http.MethodGet, p.url+"/subscriptions/"+url.PathEscape(topic), "", "Authorization", token)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, topic) {
		t.Errorf("the subscriptions of a topic with slashes are answered %d: %s", res.StatusCode, body)
	}
	if res, _ = p.do(t, http.MethodGet, p.url+"?topic=a", "", "Cookie", "mercureAuthorization=wrong"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong token in a cookie is answered %d, want 401", res.StatusCode)
	}
	if res, _ = p.do(t, http.MethodOptions, p.url, ""); res.StatusCode != http.StatusNoContent {
		t.Errorf("OPTIONS is answered %d, want 204", res.StatusCode)
	}
	if res, _ = p.do(t, http.MethodGet, root+"/metrics", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("/metrics is answered %d, want 404", res.StatusCode)
	}
}

// do sends a request through the proxy and reads the answer.
func (p *proxy) do(t testing.TB, method, address, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := p.client.Do(req)
	if err != nil {
		t.Fatalf("%s %s through %s: %v", method, address, p.name, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// Each shipped proxy has a part of docs/proxies.md.
func TestProxiesAreExplained(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(deployDir, "..", "docs", "proxies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range everySoftware() {
		if !strings.Contains(string(page), "deploy/"+s.file) {
			t.Errorf("docs/proxies.md does not name deploy/%s", s.file)
		}
	}
}

package main

import (
	"compress/gzip"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"hubd/internal/hubtest"
	"hubd/sse"
)

// Secrets are in no log, at the level debug too, in no answer, metric or profile, and not among the arguments of the
// process. What is in its memory is out of reach of a test, and so is its environment: the owner of the process and
// root can read both.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	const forged = "a-password-of-another-scheme"
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "key")
	if err := os.WriteFile(keyFile, []byte(hubtest.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := hubtest.Start(t, dir, "--log-level=debug", "--subscriptions", "--anonymous", "--publisher-key=", "--publisher-key-file="+keyFile)
	token := hubtest.Token(t, []string{"*"}, []string{"*"})
	segments := strings.Split(token, ".")
	needles := map[string]string{
		"the key": hubtest.Secret, "the key as base64": base64.StdEncoding.EncodeToString([]byte(hubtest.Secret)), "a password": forged,
		"a token": token, "its claims": segments[1], "its signature": segments[2][:20],
	}
	seen := map[string]string{}
	note := func(where, text string) { seen[where] += text + "\n" }

	broken := token[:len(token)-2] + "zz"
	for name, headers := range map[string][]string{
		"header":        {"Authorization", "Bearer " + token},
		"broken header": {"Authorization", "Bearer " + broken},
		"scheme":        {"Authorization", "Basic " + forged},
		"two":           {"Authorization", "Bearer " + token + " " + forged},
		"long":          {"Authorization", "Bearer " + strings.Repeat(token, 100)},
		"cookie":        {"Cookie", "mercureAuthorization=" + token},
		"1.0 cookie":    {"Cookie", "__Secure-mercure_access_token=" + broken, "Origin", "https://evil.example"},
		"nothing":       nil,
	} {
		for _, request := range []struct{ method, path, form string }{
			{"POST", "", "topic=x&data=y"}, {"POST", "", "data=y"}, {"POST", "/revocations", "sub=x"},
			{"GET", "?topic=%00", ""}, {"GET", "?match_urlpattern=(", ""}, {"GET", "/subscriptions", ""}, {"GET", "/subscriptions/x", ""},
			{"DELETE", "", ""}, {"QUERY", "", "topic="}, {"POST", "?authorization=" + token, "topic=x"}, {"GET", "?authorization=" + broken, ""},
			{"POST", "?authorization=" + broken, "topic=x"}, {"PUT", "/" + "nowhere", ""},
		} {
			a := hubtest.Do(t, request.method, p.URL+request.path, request.form, headers...)
			var header strings.Builder
			if err := a.Header.Write(&header); err != nil {
				t.Fatal(err)
			}
			note("answers", name+": "+header.String()+a.Body)
		}
	}
	s := p.Subscribe(t, "topic=x&authorization="+token)
	streamed := p.Subscribe(t, "topic=x", "Authorization", "Bearer "+token)
	for _, path := range []string{
		"/", "/metrics", "/readyz", "/debug/pprof/heap?debug=1", "/debug/pprof/allocs?debug=1", "/debug/pprof/goroutine?debug=2",
		"/debug/pprof/goroutine?debug=1", "/debug/pprof/heap", "/debug/pprof/allocs", "/debug/pprof/goroutine", "/debug/pprof/threadcreate",
		"/debug/pprof/mutex?seconds=1", "/debug/pprof/block?seconds=1", "/debug/pprof/profile?seconds=1", "/debug/pprof/trace?seconds=1",
		"/debug/pprof/cmdline",
	} {
		_, body := hubtest.Get(t, p.Admin+path)
		note("admin "+path, body+inflate(body))
	}
	s.Close()
	streamed.Close()
	arguments, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/cmdline")
	if err == nil {
		note("arguments", string(arguments))
	}
	p.Stop(t)
	note("log", p.Log())
	if !strings.Contains(seen["log"], "token refused") || !strings.Contains(seen["answers"], "invalid_token") {
		t.Error("no error was provoked")
	}
	for where, text := range seen {
		for what, needle := range needles {
			if i := strings.Index(text, needle); i >= 0 {
				t.Errorf("%s is in the %s: …%.60q", what, where, text[max(0, i-30):])
			}
		}
	}
}

// A key on the command line can be read by every user of the machine; the hub says so, and how to do better.
func TestKeyOnTheCommandLineIsNoted(t *testing.T) {
	t.Parallel()
	p := hubtest.Start(t, t.TempDir(), "--publisher-key=a key that everybody can read here")
	if log := p.Log(); !strings.Contains(log, "publisher-key-file or HUBD_PUBLISHER_KEY") || strings.Contains(log, "a key that everybody") {
		t.Errorf("log is\n%s", log)
	}
}

// What the public listener says about a store that fails names neither files nor systems.
func TestFailuresOfTheStoreAreNotDescribedInPublic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := hubtest.Start(t, dir, "--anonymous", "--no-handover")
	p.PublishData(t, "x", "y")
	// A revocation whose file cannot be written: a directory is in its place.
	if err := os.MkdirAll(filepath.Join(dir, "hub.db.revoked", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	a := hubtest.Do(t, http.MethodPost, p.URL+revocations, "sub=a", "Authorization", revoker(t))
	if a.Status != http.StatusServiceUnavailable || a.Body != "the revocation is not complete; try again\n" || a.Header.Get("Retry-After") == "" {
		t.Errorf("answer is %d %v %q", a.Status, a.Header, a.Body)
	}
	if why := p.AwaitLog(t, "revocation not complete")["error"]; !strings.Contains(why, "hub.db.revoked") {
		t.Errorf("the operator is told %q", why)
	}
	// A hub that waits for its store says why on the admin listener alone.
	flags := addresses(t)
	waiting := hubtest.Launch(t, dir, flags...)
	waiting.AwaitLog(t, "waiting for the store")
	public := "http://" + strings.TrimPrefix(flags[0], "--listen=")
	for _, request := range []struct{ method, path, form string }{
		{"GET", "/healthz", ""}, {"POST", sse.Path, "topic=x"}, {"GET", sse.Path + "?topic=x", ""}, {"POST", sse.Path + revocations, "sub=x"},
	} {
		a := hubtest.Do(t, request.method, public+request.path, request.form)
		if a.Status != http.StatusServiceUnavailable || strings.Contains(a.Body, "hub.db") || strings.Contains(a.Body, strconv.Itoa(p.PID)) {
			t.Errorf("%s %s: %d %q", request.method, request.path, a.Status, a.Body)
		}
	}
}

// inflate returns the text of a profile, which is compressed, as far as it is one.
func inflate(body string) string {
	r, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		return ""
	}
	text, _ := io.ReadAll(r)
	return string(text)
}

package main

import (
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"hubd/auth"
	"hubd/config"
	"hubd/internal/hubtest"
	"hubd/topics"
	"hubd/web"
)

// The console is there only if it was asked for, and no part of the hub's addresses changes with it.
func TestConsoleIsServedOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	with := hubtest.Start(t, t.TempDir(), "--console", "--store=memory://", "--drain=0s")
	without := hubtest.Start(t, t.TempDir(), "--subscriptions", "--store=memory://", "--drain=0s")
	for _, test := range []struct {
		hub          *hubtest.Process
		method, path string
		status       int
	}{
		{without, "GET", "/console", 404},
		{without, "GET", "/console/", 404},
		{without, "GET", "/console/main.js", 404},
		{with, "GET", "/console", 308},
		{with, "GET", "/console/", 200},
		{with, "HEAD", "/console/", 200},
		{with, "GET", "/console/main.js", 200},
		{with, "GET", "/console/nothing.js", 404},
		{with, "GET", "/console/%2e%2e/pages.go", 404},
		{with, "GET", "/consoles", 404},
		{with, "POST", "/console/", 405},
		{with, "GET", "/subscriptions", 404},
	} {
		answer := plainly(t, test.method, test.hub.URL+test.path)
		if answer.StatusCode != test.status {
			t.Errorf("%s %s: %s, want %d", test.method, test.path, answer.Status, test.status)
		}
		if test.status == 308 && answer.Header.Get("Location") != "console/" {
			t.Errorf("the console is said to be at %q", answer.Header.Get("Location"))
		}
	}
}

// plainly makes a request without credentials and follows no redirect.
func plainly(t *testing.T, method, address string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer
}

// Every file of the console has the headers that keep scripts of others out, and no cookie.
func TestConsoleHeaders(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, t.TempDir(), "--console", "--store=memory://", "--drain=0s", "--cors-origins=*")
	names := []string{""}
	err := fs.WalkDir(os.DirFS("../../web/console"), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		answer := plainly(t, "GET", hub.URL+"/console/"+name)
		_, contentType, _ := web.Console(name)
		for header, want := range map[string]string{
			"Content-Type": contentType, "Content-Security-Policy": web.Policy, "X-Content-Type-Options": "nosniff",
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			"Set-Cookie": "", "Access-Control-Allow-Origin": "",
		} {
			if got := answer.Header.Get(header); answer.StatusCode != 200 || got != want {
				t.Errorf("%q: %s, %s is %q, want %q", name, answer.Status, header, got, want)
			}
		}
	}
}

// The link of the greeting carries, in its fragment, a token for what the key of the run may sign.
func TestConsoleLink(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args      []string
		parameter string
		subscribe bool
	}{
		"one key":                {[]string{"--dev"}, "token", true},
		"one key, 1.0":           {[]string{"--dev", "--protocol=1.0"}, "token", true},
		"subscribers' own key":   {[]string{"--dev", "--subscriber-key=" + secret}, "publisher-token", false},
		"another public address": {[]string{"--dev", "--public-url=https://example.com/hub"}, "token", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := config.Load(append(test.args, "--listen=127.0.0.1:3000"), nil)
			if err != nil {
				t.Fatal(err)
			}
			d := &daemon{cfg: cfg}
			if d.space, err = topics.NewSpace(topics.Options{BaseURL: d.url()}); err != nil {
				t.Fatal(err)
			}
			defer d.space.Close()
			minter, err := d.tokens()
			if err != nil {
				t.Fatal(err)
			}
			defer d.verifier.Close()
			link, err := d.consoleLink(minter)
			if err != nil {
				t.Fatal(err)
			}
			address, fragment, _ := strings.Cut(link, "#")
			if address != "http://127.0.0.1:3000/.well-known/mercure/console/" {
				t.Errorf("the console is at %s", address)
			}
			offered, err := url.ParseQuery(fragment)
			if err != nil || len(offered) != 1 {
				t.Fatalf("%q: %v", fragment, err)
			}
			token := offered.Get(test.parameter)
			grant, err := d.verifier.Verify(auth.RolePublisher, token, d.audience())
			if err != nil || !grant.Publish.Match(topic) {
				t.Errorf("%+v, %v", grant, err)
			}
			grant, err = d.verifier.Verify(auth.RoleSubscriber, token, d.audience())
			if (err == nil) != test.subscribe || test.subscribe && !grant.Subscribe.Match(topic) {
				t.Errorf("as a subscriber: %+v, %v", grant, err)
			}
			if len(minter.Subscribe) > 0 {
				t.Error("the token to publish with got more rights")
			}
		})
	}
}

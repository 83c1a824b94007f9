//go:build linux

package target

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hubd/auth"
	"hubd/bench/wire"
)

func keys(dialect auth.Protocol) Keys {
	return Keys{Dialect: dialect, Publisher: strings.Repeat("p", 32), Subscriber: strings.Repeat("s", 32)}
}

func parse(t *testing.T, text []byte) *http.Request {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(text))
	request, err := http.ReadRequest(r)
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	if err := request.ParseForm(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("%q follows the request", rest)
	}
	return request
}

func TestHubRequests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		dialect          auth.Protocol
		scheme           Scheme
		parameter, value string
		topic, private   string
	}{
		{"0.x topic", auth.V0, Own, "topic", "https://bench.example/r/topics/00000007", "https://bench.example/r/topics/00000007", ""},
		{
			"0.x pattern", auth.V0, Patterns, "topic", "https://bench.example/r/feeds/00000007/{any}",
			"https://bench.example/r/feeds/00000007/00000009", "",
		},
		{
			"0.x inbox", auth.V0, Inboxes, "topic", "https://bench.example/r/users/{any}/inbox",
			"https://bench.example/r/users/00000007/inbox", "on",
		},
		{"1.0 topic", auth.V1, Own, "match", "https://bench.example/r/topics/00000007", "https://bench.example/r/topics/00000007", ""},
		{
			"1.0 pattern", auth.V1, Patterns, "match_urlpattern", "https://bench.example/r/feeds/00000007/:any",
			"https://bench.example/r/feeds/00000007/00000009", "",
		},
		{
			"1.0 inbox", auth.V1, Inboxes, "match_urlpattern", "https://bench.example/r/users/:any/inbox",
			"https://bench.example/r/users/00000007/inbox", "on",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, err := newHub("127.0.0.1:1", "/hub", "r", keys(test.dialect).minter())
			if err != nil {
				t.Fatal(err)
			}
			text, err := h.Subscribe(nil, Subscription{Scheme: test.scheme, Group: 7, Cursor: []byte("urn:x")})
			if err != nil {
				t.Fatal(err)
			}
			request := parse(t, text)
			if got := request.Form.Get(test.parameter); got != test.value || len(request.Form) != 1 {
				t.Errorf("parameters %v", request.Form)
			}
			if request.Header.Get("Last-Event-ID") != "urn:x" || request.URL.Path != "/hub" {
				t.Errorf("%q", text)
			}
			template, err := h.Publish(test.scheme, 128)
			if err != nil {
				t.Fatal(err)
			}
			request = parse(t, template.Fill(wire.Payload{Group: 7}, 9))
			if request.Form.Get("topic") != test.topic || request.Form.Get("private") != test.private || len(request.Form.Get("data")) != 128 {
				t.Errorf("form %v", request.Form)
			}
			if !strings.HasPrefix(request.Header.Get("Authorization"), "Bearer ey") {
				t.Error("no token")
			}
		})
	}
}

func TestInboxTokensDiffer(t *testing.T) {
	t.Parallel()
	k := keys(auth.V0)
	m := k.minter()
	m.now = func() time.Time { return time.Unix(1_800_000_000, 0) }
	h, err := newHub("h", "/", "r", m)
	if err != nil {
		t.Fatal(err)
	}
	token := func(scheme Scheme, group uint32) string {
		text, err := h.Subscribe(nil, Subscription{Scheme: scheme, Group: group})
		if err != nil {
			t.Fatal(err)
		}
		return parse(t, text).Header.Get("Authorization")
	}
	if token(Inboxes, 1) == token(Inboxes, 2) || token(Own, 1) != token(Own, 2) {
		t.Error("a stream has a token of its own for an inbox, and only there")
	}
}

func TestOtherRequests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		speaker             Speaker
		get, post, resuming string
	}{
		"limit": {bare{"h"}, "/", "/", ""},
		"nchan": {nchan{"h", "r"}, "/sub/r-00000003", "/pub/r-00000003", "7:0"},
	} {
		text, err := test.speaker.Subscribe(nil, Subscription{Group: 3, Cursor: []byte("7:0")})
		if err != nil {
			t.Fatal(err)
		}
		request := parse(t, text)
		if request.URL.Path != test.get || request.Header.Get("Last-Event-ID") != test.resuming {
			t.Errorf("%s: %q", name, text)
		}
		template, err := test.speaker.Publish(Own, 64)
		if err != nil {
			t.Fatal(err)
		}
		text = template.Fill(wire.Payload{Group: 3}, 0)
		if request := parse(t, text); request.URL.Path != test.post {
			t.Errorf("%s: %q", name, text)
		}
	}
}

func TestRemote(t *testing.T) {
	t.Parallel()
	o := RemoteOptions{Keys: keys(auth.V0), URL: "http://127.0.0.1:3000/.well-known/mercure", Run: "r"}
	target, err := Remote(t.Context(), o)
	if err != nil || target.Addr != netip.MustParseAddrPort("127.0.0.1:3000") || target.Died() || target.Stop() != nil {
		t.Errorf("%+v, %v", target, err)
	}
	o.URL = "http://127.0.0.1/hub"
	if target, err = Remote(t.Context(), o); err != nil || target.Addr.Port() != 80 {
		t.Errorf("%+v, %v", target, err)
	}
	for _, url := range []string{"https://127.0.0.1/", "127.0.0.1:3000", "", "http://127.0.0.1:x/"} {
		o.URL = url
		if _, err := Remote(t.Context(), o); err == nil {
			t.Errorf("%q is taken", url)
		}
	}
}

func TestBuildFails(t *testing.T) {
	t.Parallel()
	if _, err := Build(t.Context(), t.TempDir(), t.TempDir()); !errors.Is(err, ErrBuild) {
		t.Errorf("%v", err)
	}
}

func TestNchanConfig(t *testing.T) {
	t.Parallel()
	text := nchanConfig("/m.so", "/d", netip.MustParseAddrPort("127.0.0.1:99"))
	for _, want := range []string{"load_module /m.so;", "listen 127.0.0.1:99 ", "pid /d/nginx.pid;"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	for _, mark := range []string{"MODULE", "DIR", "ADDR", "WORKERS"} {
		if strings.Contains(text, mark) {
			t.Errorf("%s is left", mark)
		}
	}
}

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"hubd/internal/hubtest"
)

// browser starts a headless Chromium, which ends with the test.
func browser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("these tests need Chromium; make test installs it: %v", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), append(options, more...)...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return ctx
}

// page subscribes with EventSource and lists what it receives.
const page = `<!doctype html><title>test</title><ol></ol><script>
const source = new EventSource("%s?topic=%s");
source.onopen = () => { document.title = "open"; };
source.onmessage = e => {
	const item = document.createElement("li");
	item.textContent = e.data;
	document.querySelector("ol").append(item);
};
</script>`

const count = `document.querySelectorAll("li").length`

// await waits until the expression is true in the page.
func await(ctx context.Context, t *testing.T, expression string) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(hubtest.Patience))); err != nil {
		t.Fatalf("waiting for %s: %v", expression, err)
	}
}

// open shows the page and waits for its stream.
func open(ctx context.Context, t *testing.T, address string) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatalf("opening %s: %v", address, err)
	}
	await(ctx, t, `document.title === "open"`)
}

// A browser sees updates, loses its connection, and resumes by itself without a gap and without a
// second copy, although updates were published while it was away.
func TestEventSourceResumesWithoutAGap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	front := &http.Server{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://" + listener.Addr().String()
	args := []string{"--anonymous", "--drain=0s", "--cors-origins=" + origin}
	p := hubtest.Start(t, dir, args...)
	address := strings.TrimSuffix(strings.TrimPrefix(p.URL, "http://"), "/.well-known/mercure")
	front.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, page, p.URL, enc(topic))
	})
	go func() { _ = front.Serve(listener) }()
	t.Cleanup(func() { _ = front.Close() })

	ctx := browser(t)
	open(ctx, t, origin)
	p.PublishData(t, topic, "1")
	p.PublishData(t, topic, "2")
	await(ctx, t, count+` === 2`)
	// The hub goes away and comes back on the same address; what is published then, at once, the
	// browser has missed.
	p.Stop(t)
	p = hubtest.Start(t, dir, append(args, "--listen="+address)...)
	p.PublishData(t, topic, "3")
	p.PublishData(t, topic, "4")
	await(ctx, t, count+` >= 4`)
	items, err := chromedp.Run(ctx, chromedp.Evaluate[string](`[...document.querySelectorAll("li")].map(e => e.textContent).join()`))
	if err != nil {
		t.Fatal(err)
	}
	if items != "1,2,3,4" {
		t.Fatalf("the browser has %s", items)
	}
}

// Private updates by cookie and across origins, as an application with a hub on a domain of its own does.
func TestEventSourceWithCookieAcrossOrigins(t *testing.T) {
	t.Parallel()
	var hub *hubtest.Process
	token := hubtest.Token(t, nil, []string{topic})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		// Ports share cookies, so the page's server may set the one that the hub reads.
		http.SetCookie(w, &http.Cookie{Name: "mercureAuthorization", Value: token, Path: "/", HttpOnly: true})
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, strings.Replace(page, `%s")`, `%s", {withCredentials: true})`, 1), hub.URL, enc(topic))
	}))
	t.Cleanup(front.Close)
	hub = hubtest.Start(t, t.TempDir(), "--drain=0s", "--cors-origins="+front.URL)
	ctx := browser(t)
	open(ctx, t, front.URL)
	hub.Publish(t, map[string][]string{"topic": {topic}, "data": {"secret"}, "private": {"on"}})
	await(ctx, t, count+` === 1`)
}

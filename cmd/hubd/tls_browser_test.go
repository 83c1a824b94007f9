package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"hubd/internal/hubtest"
)

// manyStreams opens streams and counts how many are open and what they receive. Over HTTP/1.1 a browser opens six to an origin.
const manyStreams = `<!doctype html><title>test</title><script>
let opened = 0, received = 0;
for (let i = 0; i < %d; i++) {
	const source = new EventSource("%s?topic=%s&n=" + i);
	source.onopen = () => { opened++; };
	source.onmessage = () => { received++; };
}
</script>`

// A page has more streams at once than HTTP/1.1 would let it have, all over one connection.
func TestBrowserHasManyStreamsOverHTTP2(t *testing.T) {
	t.Parallel()
	const streams = 20
	var h *secureHub
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, manyStreams, streams, h.h2.URL, enc(topic))
	}))
	t.Cleanup(front.Close)
	h = startSecure(t, "--cors-origins="+front.URL)
	// Chromium takes the pin only together with a profile of its own.
	ctx := browser(t, chromedp.Flag("ignore-certificate-errors-spki-list", hubtest.Pin(t, h.cert)))
	if err := chromedp.Do(ctx, chromedp.Navigate(front.URL)); err != nil {
		t.Fatal(err)
	}
	await(ctx, t, fmt.Sprintf("opened === %d", streams))
	// The streams and the connection that carries them.
	h.Process.AwaitMetric(t, "hubd_connections", fmt.Sprint(streams+1))
	h.PublishData(t, topic, "x")
	await(ctx, t, fmt.Sprintf("received === %d", streams))
}

package js

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"hubd/clients/browsertest"
	"hubd/internal/hubtest"
)

// A page follows private updates with tokens that live for four seconds, the first of which has ended already, while the
// hub restarts: every update arrives, once and in order, and no stream is ended because its token did.
func TestStreamOutlivesTokensAndRestarts(t *testing.T) {
	t.Parallel()
	dir, s := t.TempDir(), newSite(t)
	hub := s.hub(t, dir)
	tab := browsertest.Start(t)
	s.show(t, tab, hub, `{token: token("?life=4s&first=expired")}`)
	if refused := tab.Text(t, `log.tokens`); refused != "false,true" {
		t.Errorf("tokens were asked for %s, want one and then another for the refused one", refused)
	}
	var ids []string
	publish := func(until func() bool) {
		for n := 0; n < 10 || !until(); n++ {
			ids = append(ids, private(t, hub, strconv.Itoa(n)))
		}
	}
	publish(func() bool { return s.asked() >= 3 })
	if n := hub.Metric(t, `hubd_disconnects_total{reason="token_expired"}`); n != "0" {
		t.Errorf("%s streams ended with their tokens", n)
	}
	address := strings.TrimPrefix(hub.Address(), "http://")
	hub.Stop(t)
	hub = s.hub(t, dir, "--listen="+address)
	asked := s.asked()
	publish(func() bool { return s.asked() > asked })
	expectIDs(t, tab, ids)
	if gaps := tab.Text(t, `JSON.stringify(log.gaps)`); gaps != "[]" {
		t.Errorf("gaps were reported: %s", gaps)
	}
	tab.Do(t, `subscription.close(); await subscription.closed`)
	hub.AwaitMetric(t, "mercure_subscribers_connected", "0")
}

// A hub that has forgotten everything says so, and the page hears of it once.
func TestGapIsReported(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hub := s.hub(t, t.TempDir(), "--anonymous", "--store=memory://")
	tab := browsertest.Start(t)
	s.show(t, tab, hub, `{}`)
	first := hub.PublishData(t, topic, "1")
	tab.Await(t, `log.ids.length === 1`)
	address := strings.TrimPrefix(hub.Address(), "http://")
	hub.Stop(t)
	hub = s.hub(t, t.TempDir(), "--anonymous", "--store=memory://", "--listen="+address)
	second := hub.PublishData(t, topic, "2")
	expectIDs(t, tab, []string{first, second})
	if got, want := tab.Text(t, `JSON.stringify(log.gaps)`), fmt.Sprintf(`[{"requested":%q,"resumedFrom":"earliest"}]`, first); got != want {
		t.Errorf("gaps are %s, want %s", got, want)
	}
}

// Another network: the browser says that it is online again, and the stream does not wait for its back-off, nor for the
// old connection to be found dead.
func TestStreamIsRenewedOnline(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hub := s.hub(t, t.TempDir(), "--anonymous")
	tab := browsertest.Start(t)
	s.show(t, tab, hub, `{silence: 0}`)
	network := func(offline bool) {
		tab.Command(t, "Network.enable", map[string]any{})
		tab.Command(t, "Network.emulateNetworkConditions", map[string]any{
			"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
		})
	}
	// Left to its back-off the stream would come back after this test.
	ids := []string{hub.Publish(t, map[string][]string{"topic": {topic}, "data": {"1"}, "retry": {"600000"}})}
	tab.Await(t, `log.ids.length === 1`)
	network(true)
	tab.Await(t, `!navigator.onLine`)
	ids = append(ids, hub.PublishData(t, topic, "2"))
	before := hub.Metric(t, "mercure_subscribers_total")
	network(false)
	ids = append(ids, hub.PublishData(t, topic, "3"))
	expectIDs(t, tab, ids)
	tab.Await(t, `subscription.state === "open"`)
	n, err := strconv.Atoi(before)
	if err != nil {
		t.Fatal(err)
	}
	hub.AwaitMetric(t, "mercure_subscribers_total", strconv.Itoa(n+1))
}

// A page that is hidden rests if it is told to, and gets what it missed.
func TestHiddenPagePauses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hub := s.hub(t, t.TempDir(), "--anonymous")
	tab := browsertest.Start(t)
	const visibility = `Object.defineProperty(document, "visibilityState", {value: %q, configurable: true});
		document.dispatchEvent(new Event("visibilitychange"));`
	for _, shared := range []string{"false", "true"} {
		s.show(t, tab, hub, `{pauseWhenHidden: true, shared: `+shared+`}`)
		ids := []string{hub.PublishData(t, topic, "1")}
		tab.Await(t, `log.ids.length === 1`)
		tab.Do(t, fmt.Sprintf(visibility, "hidden"))
		tab.Await(t, `subscription.state === "paused"`)
		hub.AwaitMetric(t, "mercure_subscribers_connected", "0")
		ids = append(ids, hub.PublishData(t, topic, "2"))
		tab.Do(t, fmt.Sprintf(visibility, "visible"))
		expectIDs(t, tab, ids)
		tab.Do(t, `subscription.close()`)
		hub.AwaitMetric(t, "mercure_subscribers_connected", "0")
	}
}

// A page that is left keeps no connection, although the browser may keep the page to come back to; if it does, the page
// gets what it missed.
func TestPageThatIsLeftLetsGo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hub := s.hub(t, t.TempDir(), "--anonymous")
	tab := browsertest.Start(t)
	for _, shared := range []string{"false", "true"} {
		s.show(t, tab, hub, `{shared: `+shared+`}`)
		ids := []string{hub.PublishData(t, topic, "1")}
		tab.Await(t, `log.ids.length === 1`)
		tab.Do(t, `dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true}))`)
		hub.AwaitMetric(t, "mercure_subscribers_connected", "0")
		ids = append(ids, hub.PublishData(t, topic, "2"))
		tab.Do(t, `dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))`)
		expectIDs(t, tab, ids)
		tab.Open(t, "about:blank")
		hub.AwaitMetric(t, "mercure_subscribers_connected", "0")
	}
}

// A page finds the hub by a resource's header, begins after what the resource has, and publishes.
func TestDiscoveryAndPublish(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hub := s.hub(t, t.TempDir(), "--anonymous")
	seen := hub.PublishData(t, topic, "in the resource")
	missed := hub.PublishData(t, topic, "between")
	resource := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Expose-Headers", "Link")
		w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="mercure"; last-event-id=%q, <%s>; rel="self"`, hub.URL, seen, topic))
	}))
	t.Cleanup(resource.Close)
	tab := browsertest.Start(t)
	tab.Open(t, s.url)
	tab.Await(t, `window.ready`)
	tab.Do(t, fmt.Sprintf(`const response = await fetch(%q);
		window.untrusted = client.discover(response);
		const found = client.discover(response, {origins: [%q]});
		listen({hub: found.hub, match: found.topic, lastEventID: found.lastEventID});`, resource.URL, hub.Address()))
	if got := tab.Text(t, `untrusted`); got != "null" {
		t.Errorf("a hub that nobody named is taken: %s", got)
	}
	tab.Await(t, `log.ids.length === 1`)
	id := tab.Text(t, fmt.Sprintf(`client.publish({hub: %q, topic: %q, data: "from the page", token: %q})`,
		hub.URL, topic, hubtest.Token(t, []string{"*"}, nil)))
	expectIDs(t, tab, []string{missed, id})
	if data := tab.Text(t, `log.data`); data != "between,from the page" {
		t.Errorf("the page has %s", data)
	}
	refusal := tab.Text(t, fmt.Sprintf(`client.publish({hub: %q, topic: %q}).catch((e) => e.name + e.status + e.final)`, hub.URL, topic))
	if refusal != "HubError401true" {
		t.Errorf("publishing without a token ends with %s", refusal)
	}
}

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"hubd/auth"
	"hubd/internal/hubtest"
	"hubd/mercure"
)

// The history is walked page by page from a cursor.
func TestConsoleWalksTheHistory(t *testing.T) {
	t.Parallel()
	c := openConsole(t)
	const stored = 25
	for i := range stored {
		c.hub.PublishData(t, topic, fmt.Sprint(i))
	}
	c.click(t, "#tab-history")
	c.fill(t, "#history-form [name=size]", "20")
	c.click(t, "#history-form [type=submit]")
	const shown = `[...document.querySelectorAll("#history-list .snippet")].map(e => e.textContent).join()`
	c.await(t, shown+` === Array.from({length: 20}, (_, i) => i).join()`)
	c.click(t, "#history-form [name=next]")
	c.await(t, shown+` === "20,21,22,23,24"`)
	c.await(t, `document.querySelector("#history-form .good").textContent.includes("this is the end for now")`)
	c.fill(t, "#history-form [name=cursor]", "urn:uuid:nothing")
	c.click(t, "#history-form [type=submit]")
	c.await(t, `document.querySelector("#history-form .bad")?.textContent.includes("not retained")`)
}

// "Why did this stream not get that update?" is answered from the hub's own history.
func TestConsoleSaysWhyAStreamDidNotGetAnUpdate(t *testing.T) {
	t.Parallel()
	c := openConsole(t)
	public := c.hub.PublishData(t, topic, "public")
	private := c.hub.Publish(t, map[string][]string{"topic": {topic}, "data": {"private"}, "private": {"on"}})
	everything := hubtest.Token(t, nil, []string{"*"})
	for _, test := range []struct {
		pattern, id, cursor, token, inspector, want string
	}{
		{topic, "urn:uuid:nothing", "", "", "", "does not retain"},
		{"https://example.com/books/2", public, "", "", "", "No matcher of the stream selects"},
		{topic, private, "", "", "", "grants none of its topics. Whether"},
		{topic, private, "", "", everything, "and the token of the stream grants none of its topics."},
		{topic, public, private, "", everything, "older than the stream's cursor"},
		{topic, public, private, "", "", "older than the stream's cursor"},
		{topic, private, public, everything, "", "after the stream's cursor"},
		{topic, private, "", everything, "", "gets this update"},
		{topic, private, "", "nonsense", "", "The hub answered 401"},
	} {
		c.click(t, "#tab-why")
		for name, value := range map[string]string{"id": test.id, "cursor": test.cursor, "token": test.token, "inspector": test.inspector} {
			c.fill(t, "#why-form [name="+name+"]", value)
		}
		c.fill(t, "#why-form .matcher input", test.pattern)
		c.click(t, "#why-form [type=submit]")
		c.await(t, `document.querySelector("#why-form [name=stop]").hidden`)
		if answer := c.text(t, `document.querySelector("#why-answer").textContent`); !strings.Contains(answer, test.want) {
			t.Errorf("%+v: %s", test, answer)
		}
	}
}

// Subscriptions of both dialects are counted by matcher.
func TestConsoleShowsSubscriptions(t *testing.T) {
	t.Parallel()
	c := openConsole(t, "--subscriptions")
	for _, query := range []string{"topic=" + enc(topic), "topic=" + enc(topic), "match=" + enc(topic)} {
		defer c.hub.Subscribe(t, query).Close()
	}
	c.click(t, "#tab-subscriptions")
	c.click(t, "#subscriptions-form [type=submit]")
	const shown = `[...document.querySelectorAll("#subscriptions-list summary")].map(e => e.textContent).join()`
	c.await(t, shown+` === "2`+topic+`topic, 0.x,1`+topic+`exact, 1.0"`)
	c.click(t, "#subscriptions-list summary")
	c.await(t, `document.querySelectorAll("#subscriptions-list .subscribers li").length === 2`)
	// A token that does not grant it is told what would.
	c.text(t, `location.hash = "#token=`+hubtest.Token(t, nil, []string{topic})+`"`)
	c.await(t, `location.hash === ""`)
	c.click(t, "#subscriptions-form [type=submit]")
	c.await(t, `document.querySelector("#subscriptions-form .bad")?.textContent.includes("/.well-known/mercure/subscriptions{/topic}{/subscriber}")`)
}

// A hub without the subscription API: the page says how to turn it on.
func TestConsoleSaysThatSubscriptionsAreOff(t *testing.T) {
	t.Parallel()
	c := openConsole(t)
	c.await(t, `document.querySelector("#hub-facts").textContent.endsWith("subscription API off")`)
	c.click(t, "#tab-subscriptions")
	c.click(t, "#subscriptions-form [type=submit]")
	c.await(t, `document.querySelector("#subscriptions-form .bad")?.textContent.includes("--subscriptions")`)
}

// The console works on a hub of either dialect alone, with what its forms hold when they are opened.
func TestConsoleOnHubsOfOneDialect(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"0.x", "1.0"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			const issuer, audience = "https://issuer.example", "https://hub.example/.well-known/mercure"
			c := openConsole(t, "--protocol="+protocol, "--issuer="+issuer, "--audience="+audience)
			o := auth.MintOptions{Dialect: auth.V0, Publish: []mercure.Matcher{{Type: mercure.Template, Pattern: "*"}}}
			if protocol == "1.0" {
				o = auth.MintOptions{Dialect: auth.V1, Issuer: issuer, Audience: audience, Issued: time.Now(), Expires: time.Now().Add(time.Hour),
					Publish: []mercure.Matcher{{Type: mercure.Exact, Pattern: "*"}}}
			}
			c.text(t, `location.hash = "#token=`+hubtest.Mint(t, o)+`"`)
			c.await(t, `location.hash === ""`)
			c.await(t, `document.querySelector("#tokens .decoded .bad") === null && document.querySelector("#tokens .decoded").textContent.includes("`+protocol+`: ")`)
			c.click(t, "#subscribe-form [type=submit]")
			c.await(t, `document.querySelector("#state").dataset.state === "open"`)
			c.fill(t, "#publish-form [name=data]", "hello")
			c.click(t, "#publish-form [type=submit]")
			c.await(t, events+` === "hello"`)
			c.click(t, "#tab-history")
			c.click(t, "#history-form [type=submit]")
			c.await(t, `document.querySelector("#history-list .snippet")?.textContent === "hello"`)
		})
	}
}

// On a small screen nothing is wider than the screen, in any view.
func TestConsoleFitsASmallScreen(t *testing.T) {
	t.Parallel()
	c := openConsole(t)
	// The number, not innerWidth: a phone shows a page that is too wide in a wider window.
	if err := chromedp.Do(c.ctx, chromedp.EmulateViewport(360, 640, chromedp.EmulateMobile)); err != nil {
		t.Fatal(err)
	}
	c.click(t, "#subscribe-form [type=submit]")
	c.hub.Publish(t, map[string][]string{"topic": {topic}, "data": {strings.Repeat("wide", 200)}, "type": {strings.Repeat("type", 50)}})
	c.fill(t, "#subscribe-form [name=start]", "earliest")
	c.click(t, "#subscribe-form [type=submit]")
	c.await(t, `document.querySelectorAll("#events .event").length > 0`)
	c.click(t, "#events summary")
	c.await(t, `document.querySelector("#events pre") !== null`)
	for _, view := range []string{"live", "history", "subscriptions", "tokens", "why"} {
		c.click(t, "#tab-"+view)
		c.await(t, `!document.querySelector("#`+view+`").hidden`)
		if wide := c.text(t, `[...document.querySelectorAll("main *")].filter(e => e.checkVisibility() && !e.closest("pre, .event summary, .hidden-text") && e.getBoundingClientRect().right > 361).map(e => e.outerHTML.slice(0, 80)).join()`); wide != "" {
			t.Errorf("in view %s these are wider than the screen: %s", view, wide)
		}
		if more := c.text(t, `Math.max(document.documentElement.scrollWidth, innerWidth) - 360`); more != "0" {
			t.Errorf("view %s is %s pixels too wide", view, more)
		}
	}
}

// Views are chosen with the arrow keys, and one tab alone is in the order of the Tab key.
func TestConsoleTabsByKeyboard(t *testing.T) {
	t.Parallel()
	c := openConsole(t)
	c.text(t, `document.querySelector("#tab-live").focus()`)
	for _, step := range []struct{ key, tab string }{
		{kb.ArrowRight, "tab-history"}, {kb.ArrowRight, "tab-subscriptions"}, {kb.ArrowLeft, "tab-history"}, {kb.End, "tab-why"}, {kb.ArrowRight, "tab-live"},
	} {
		if err := chromedp.Do(c.ctx, chromedp.KeyEvent(step.key)); err != nil {
			t.Fatal(err)
		}
		c.await(t, fmt.Sprintf(`document.activeElement.id === %q`, step.tab))
		c.await(t, `[...document.querySelectorAll("[role=tab]")].filter(e => e.tabIndex === 0).map(e => e.id).join() === document.activeElement.id`)
		c.await(t, `document.querySelectorAll("[role=tabpanel]:not([hidden])").length === 1`)
	}
}

package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"hubd/internal/hubtest"
)

// console is a browser that shows the console of a hub.
type console struct {
	ctx context.Context
	hub *hubtest.Process
}

// openConsole shows the console of a new hub with a token for both roles, offered in the fragment.
func openConsole(t *testing.T, args ...string) *console {
	t.Helper()
	all := append([]string{"--console", "--anonymous", "--drain=0s"}, args...)
	c := &console{hub: hubtest.Start(t, t.TempDir(), all...), ctx: browser(t)}
	c.open(t, hubtest.Token(t, []string{"*"}, []string{"*"}))
	return c
}

func (c *console) open(t *testing.T, token string) {
	t.Helper()
	if err := chromedp.Do(c.ctx, chromedp.Navigate(c.hub.URL+"/console/#token="+url.QueryEscape(token))); err != nil {
		t.Fatal(err)
	}
	c.await(t, `document.documentElement.dataset.ready === "true"`)
}

func (c *console) await(t *testing.T, expression string) {
	t.Helper()
	await(c.ctx, t, expression)
}

// text returns what the expression says in the page.
func (c *console) text(t *testing.T, expression string) string {
	t.Helper()
	text, err := chromedp.Run(c.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return text
}

// fill writes into a field as a user does.
func (c *console) fill(t *testing.T, selector, value string) {
	t.Helper()
	c.text(t, fmt.Sprintf(`(() => {
		const field = document.querySelector(%s);
		field.value = %s;
		for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, {bubbles: true}));
	})()`, strconv.Quote(selector), strconv.Quote(value)))
}

// click presses a button that can be seen, where it is once the page has come to rest: a press goes to a place, and what is
// shown above the button may still grow.
func (c *console) click(t *testing.T, selector string) {
	t.Helper()
	c.text(t, fmt.Sprintf(`document.querySelector(%s).scrollIntoView({block: "center", behavior: "instant"})`, strconv.Quote(selector)))
	c.await(t, fmt.Sprintf(`(() => {
		const {x, y, width, height} = document.querySelector(%s).getBoundingClientRect();
		const place = [x, y, width, height].join(), before = window.placeOfButton;
		window.placeOfButton = place;
		return place === before;
	})()`, strconv.Quote(selector)))
	if err := chromedp.Do(c.ctx, chromedp.Click(selector)); err != nil {
		t.Fatalf("clicking %s: %v", selector, err)
	}
}

// events is the data of the events that are shown, newest first.
const events = `[...document.querySelectorAll("#events .event:not([hidden]) .snippet")].map(e => e.textContent).join()`

// A user subscribes with matchers of both dialects, publishes, and sees the events; the token of the address is gone from it.
func TestConsoleSubscribesAndPublishes(t *testing.T) {
	t.Parallel()
	c := openConsole(t)
	if address := c.text(t, `location.href + JSON.stringify(sessionStorage)`); strings.Contains(address, "token") || !strings.HasSuffix(address, "/console/{}") {
		t.Errorf("the token is still in %s", address)
	}
	c.click(t, "#subscribe-form .add")
	c.fill(t, "#subscribe-form .matcher:nth-child(2) select", "topic")
	c.fill(t, "#subscribe-form .matcher:nth-child(2) input", "https://example.com/shops/{id}")
	c.click(t, "#subscribe-form [type=submit]")
	c.await(t, `document.querySelector("#state").dataset.state === "open"`)
	c.fill(t, "#publish-form [name=topics]", "https://example.com/books/1")
	c.fill(t, "#publish-form [name=data]", `{"n":1}`)
	c.click(t, "#publish-form [type=submit]")
	c.await(t, events+` === '{"n":1}'`)
	c.fill(t, "#publish-form [name=topics]", "https://example.com/nothing\nhttps://example.com/shops/1")
	c.fill(t, "#publish-form [name=data]", "<b>two</b>")
	c.click(t, "#publish-form [name=private]")
	c.text(t, `document.querySelector("#publish-form details").open = true`)
	c.fill(t, "#publish-form [name=id]", "urn:second")
	c.fill(t, "#publish-form [name=type]", "note")
	c.click(t, "#publish-form [type=submit]")
	c.await(t, events+` === '<b>two</b>,{"n":1}'`)
	c.await(t, `document.querySelector("#publish-form [data-answer]").textContent === "Stored as urn:second"`)
	c.await(t, `document.querySelector("#cursor").textContent === "urn:second" && document.querySelector("#received").textContent === "2"`)

	c.click(t, "#events .event:last-child summary")
	c.await(t, `document.querySelector("#events pre")?.textContent === '{\n  "n": 1\n}'`)
	if summary := c.text(t, `document.querySelector("#events .type").textContent + document.querySelector("#events .id").textContent`); summary != "noteurn:second" {
		t.Errorf("the newest event is shown as %q", summary)
	}

	c.fill(t, "#publish-form [name=topics]", "/.well-known/mercure/subscriptions/x")
	c.click(t, "#publish-form [type=submit]")
	c.await(t, `document.querySelector("#publish-form .bad")?.textContent.includes("400")`)
}

// A command that is copied does what the form does. Without a clipboard it is shown.
func TestConsoleCopiesAsCurl(t *testing.T) {
	t.Parallel()
	c := openConsole(t)
	c.text(t, `Object.defineProperty(navigator, "clipboard", {value: undefined})`)
	c.fill(t, "#subscribe-form .matcher input", "https://example.com/it's")
	c.click(t, "#subscribe-form [name=curl]")
	c.await(t, `document.querySelector("#copy-dialog").open`)
	command := c.text(t, `document.querySelector("#copy-dialog textarea").value`)
	for _, part := range []string{"curl -N -G '" + c.hub.URL + "'", `'match_urlpattern=https://example.com/it'\''s'`, "'Authorization: Bearer ey"} {
		if !strings.Contains(command, part) {
			t.Errorf("no %q in %s", part, command)
		}
	}
}

// The list stands still while it is paused, shows what the filter lets through, and stays short however much comes.
func TestConsoleListPausesFiltersAndStaysShort(t *testing.T) {
	t.Parallel()
	c := openConsole(t)
	c.click(t, "#subscribe-form [type=submit]")
	c.await(t, `document.querySelector("#state").dataset.state === "open"`)
	c.hub.PublishData(t, topic, "first")
	c.await(t, events+` === "first"`)
	c.click(t, "#pause")
	c.hub.PublishData(t, topic, "second")
	c.await(t, `document.querySelector("#events-kept").textContent.includes("1 event waiting")`)
	if shown := c.text(t, events); shown != "first" {
		t.Errorf("while paused the list shows %s", shown)
	}
	c.click(t, "#pause")
	c.await(t, events+` === "second,first"`)
	c.fill(t, "#filter", "FIR")
	c.await(t, events+` === "first"`)
	c.fill(t, "#filter", "")
	const flood = 3000
	for i := range flood {
		c.hub.PublishData(t, topic, strconv.Itoa(i))
	}
	c.await(t, `document.querySelector("#received").textContent === "3,002"`)
	c.await(t, events+`.startsWith("2999,2998,")`)
	if n := c.text(t, `document.querySelectorAll("#events .event").length`); n != "300" {
		t.Errorf("the list has %s events", n)
	}
	c.click(t, "#clear")
	c.await(t, events+` === "" && !document.querySelector("#events-empty").hidden`)
}

// The console resumes when the hub comes back, and says so when the history has a gap.
func TestConsoleResumesAndShowsGaps(t *testing.T) {
	t.Parallel()
	c := openConsole(t, "--store=memory://")
	address := strings.TrimPrefix(c.hub.Address(), "http://")
	c.click(t, "#subscribe-form [type=submit]")
	c.await(t, `document.querySelector("#state").dataset.state === "open"`)
	c.hub.PublishData(t, topic, "1")
	c.await(t, events+` === "1"`)
	c.hub.Stop(t)
	c.await(t, `document.querySelector("#state").dataset.state === "waiting"`)
	// The hub in memory has forgotten everything.
	c.hub = hubtest.Start(t, t.TempDir(), "--console", "--anonymous", "--drain=0s", "--store=memory://", "--listen="+address)
	c.hub.PublishData(t, topic, "2")
	c.await(t, events+` === "2,1"`)
	c.await(t, `document.querySelector("#gaps").textContent === "1" && document.querySelector("#reconnects").textContent !== "0"`)
	c.await(t, `document.querySelector("#events .gap").textContent.includes("no longer has event")`)
	c.click(t, "#subscribe-form [name=stop]")
	c.await(t, `document.querySelector("#state").dataset.state === "idle"`)
}

// A stream that is refused is not tried again, and the refusal is explained.
func TestConsoleExplainsRefusals(t *testing.T) {
	t.Parallel()
	c := openConsole(t)
	c.click(t, "#tab-tokens")
	c.click(t, "#tokens form[data-role=publisher] [type=submit]")
	c.await(t, `document.querySelector("#tokens form[data-role=publisher] .good")?.textContent === "The hub accepts this token."`)
	expired := strings.TrimSuffix(hubtest.Token(t, nil, nil), "A") + "AAAA"
	c.fill(t, "#tokens form[data-role=subscriber] [name=token]", "Bearer "+expired)
	c.click(t, "#tokens form[data-role=subscriber] [type=submit]")
	c.await(t, `document.querySelector("#tokens form[data-role=subscriber] .bad")?.textContent.includes('401') && document.querySelector("#tokens .bad").textContent.includes('error="invalid_token"')`)
	c.click(t, "#tab-live")
	c.click(t, "#subscribe-form [type=submit]")
	c.await(t, `document.querySelector("#state").dataset.state === "refused" && document.querySelector("#subscribe-form .bad").textContent.includes("does not accept the token")`)
}

// The view of tokens says what a token grants.
func TestConsoleReadsTokens(t *testing.T) {
	t.Parallel()
	c := openConsole(t)
	// Another token in the same tab: the browser does not load the page anew.
	c.text(t, `location.hash = "#publisher-token=`+hubtest.Token(t, []string{"https://example.com/books/{id}"}, nil)+`"`)
	c.await(t, `location.hash === ""`)
	c.click(t, "#tab-tokens")
	c.await(t, `document.querySelector("#tokens [data-role=publisher] .decoded").textContent.includes("https://example.com/books/{id} URI template")`)
	c.await(t, `document.querySelector("#tokens .decoded").textContent.includes("0.x: the mercure claim")`)
	c.fill(t, "#tokens [name=token]", "nonsense")
	c.await(t, `document.querySelector("#tokens .decoded").textContent.includes("three parts")`)
	c.click(t, "#remember")
	if kept := c.text(t, `sessionStorage.getItem("hubd-console-tokens")`); !strings.Contains(kept, "nonsense") {
		t.Errorf("kept %s", kept)
	}
	c.click(t, "#remember")
	if kept := c.text(t, `sessionStorage.length + localStorage.length + document.cookie`); kept != "0" {
		t.Errorf("the page still keeps %s", kept)
	}
}

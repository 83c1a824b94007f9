package examples

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hubd/clients/browsertest"
	"hubd/internal/hubtest"
)

const live = `document.querySelector(".state")?.dataset.state === "open"`

// picture takes pictures of the page at two sizes, light and dark, if PICTURES names a folder. They are for people.
func picture(t *testing.T, tab *browsertest.Tab, name string) {
	t.Helper()
	dir := os.Getenv("PICTURES")
	if dir == "" {
		return
	}
	for _, dark := range []bool{false, true} {
		for _, width := range []int64{1100, 375} {
			scheme := map[bool]string{false: "light", true: "dark"}[dark]
			tab.Picture(t, filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)), width, 700, dark)
		}
	}
}

// The example builds its hub by itself, as its command does. What visitors write is shown as text, and a page that is opened
// again has every message once.
func TestChat(t *testing.T) {
	t.Parallel()
	address := start(t, "chat")
	ann := browsertest.Start(t)
	bob := ann.Private(t)
	join := func(tab *browsertest.Tab, name string) {
		tab.Open(t, address)
		tab.Await(t, `!document.querySelector("#join").hidden`)
		tab.Fill(t, "#join input", name)
		tab.Click(t, "#join button")
		tab.Await(t, live)
	}
	say := func(tab *browsertest.Tab, text string) {
		tab.Fill(t, "#say input", text)
		tab.Click(t, "#say button")
	}
	const texts = `[...document.querySelectorAll(".message p")].map((e) => e.textContent).join("|")`
	join(ann, "Ann <b>")
	say(ann, "Hello! <img src=x onerror=alert(1)>")
	ann.Await(t, texts+` === "Hello! <img src=x onerror=alert(1)>"`)
	join(bob, "Bob")
	bob.Await(t, texts+` === "Hello! <img src=x onerror=alert(1)>"`)
	say(bob, "Hi Ann, good to see you here.")
	const both = `"Hello! <img src=x onerror=alert(1)>|Hi Ann, good to see you here."`
	for _, tab := range []*browsertest.Tab{ann, bob} {
		tab.Await(t, texts+` === `+both)
	}
	if names := bob.Text(t, `[...document.querySelectorAll(".message strong")].map((e) => e.textContent)`); names != "Ann <b>,You" {
		t.Errorf("the authors are %s", names)
	}
	picture(t, bob, "chat")
	ann.Open(t, address)
	ann.Await(t, live)
	ann.Await(t, texts+` === `+both)
	say(ann, "And on.")
	ann.Await(t, texts+` === `+strings.TrimSuffix(both, `"`)+`|And on."`)

	if policy := ann.Text(t, `fetch("/").then((r) => r.headers.get("Content-Security-Policy"))`); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") {
		t.Errorf("the page's policy is %q", policy)
	}
	for _, path := range []string{"/token", "/messages"} {
		if got := status(t, http.MethodPost, address+path, http.Header{}); got != http.StatusUnauthorized {
			t.Errorf("%s answers %d to nobody", path, got)
		}
		if got := status(t, http.MethodPost, address+path, http.Header{"Sec-Fetch-Site": {"cross-site"}}); got != http.StatusForbidden {
			t.Errorf("%s answers %d to a page of another site", path, got)
		}
	}
}

// Charts begin with what the hub has kept and go on.
func TestDashboard(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, t.TempDir(), "--anonymous", "--drain=0s", "--cors-origins=*", "--store=memory://")
	address := start(t, "dashboard", "--hub="+hub.URL)
	tab := browsertest.Start(t)
	tab.Open(t, address)
	tab.Await(t, live)
	tab.Await(t, `[...document.querySelectorAll("path")].length === 4 && [...document.querySelectorAll("path")].every((e) => e.getAttribute("d").split("L").length > 100)`)
	tab.Await(t, `document.querySelectorAll("tbody tr").length === 10`)
	newest := tab.Text(t, `document.querySelector("tbody").textContent`)
	tab.Await(t, fmt.Sprintf(`document.querySelector("tbody").textContent !== %q`, newest))
	if label := tab.Text(t, `document.querySelector("svg").getAttribute("aria-label")`); !strings.Contains(label, "/s now") {
		t.Errorf("the chart is called %q", label)
	}
	tab.Do(t, `document.querySelector("details").open = true`)
	picture(t, tab, "dashboard")
}

// An answer goes on while its page is reloaded, and is complete, each token once. Nobody else can open the conversation.
func TestAssistant(t *testing.T) {
	t.Parallel()
	address := start(t, "llm", "--hubd="+hubtest.Binary(t))
	tab := browsertest.Start(t)
	tab.Open(t, address)
	tab.Await(t, live)
	const answer = `document.querySelector(".answer:last-of-type")`
	ask := func(text string) {
		tab.Fill(t, "#ask textarea", text)
		tab.Click(t, "#send")
	}
	ask("What is this?")
	tab.Await(t, answer+`?.textContent.length > 100`)
	picture(t, tab, "llm")
	place := tab.Text(t, `location.href`)
	tab.Reload(t)
	tab.Await(t, live+` && `+answer+`?.getAttribute("aria-busy") === "false"`)
	text := tab.Text(t, answer+`.textContent`)
	if !strings.HasPrefix(text, "You asked: “What is this?”.") || !strings.HasSuffix(text, "nothing comes twice.") {
		t.Errorf("the answer is %q", text)
	}
	tab.Reload(t)
	tab.Await(t, live+` && `+answer+`?.getAttribute("aria-busy") === "false"`)
	if again := tab.Text(t, answer+`.textContent`); again != text {
		t.Errorf("read again the answer is %q, before it was %q", again, text)
	}
	ask("<b>And?</b>")
	tab.Await(t, `document.querySelectorAll(".answer").length === 2 && `+answer+`.textContent.length > 20`)
	tab.Click(t, "#stop")
	tab.Await(t, answer+`.getAttribute("aria-busy") === "false"`)
	if text := tab.Text(t, answer+`.textContent`); strings.HasSuffix(text, "all there is to it.") || !strings.HasPrefix(text, "“<b>And?</b>”") {
		t.Errorf("the answer that was stopped is %q", text)
	}

	other := tab.Private(t)
	other.Open(t, place)
	other.Await(t, live)
	if now := other.Text(t, `location.href + document.querySelectorAll(".prompt").length`); strings.HasPrefix(now, place) || !strings.HasSuffix(now, "0") {
		t.Errorf("somebody else has the conversation, at %s", now)
	}
}

// Each user gets what is theirs, over one connection for all tabs. A token opens no other inbox.
func TestNotifications(t *testing.T) {
	t.Parallel()
	hub := hubtest.Start(t, t.TempDir(), "--drain=0s", "--cors-origins=*", "--store=memory://")
	address := start(t, "notifications", "--hub="+hub.URL)
	first := browsertest.Start(t)
	enter := func(tab *browsertest.Tab, user string) {
		tab.Open(t, address)
		tab.Await(t, `document.querySelectorAll("#users button").length === 3`)
		tab.Do(t, fmt.Sprintf(`[...document.querySelectorAll("#users button")].find((e) => e.textContent === %q).click()`, user))
		tab.Await(t, live)
	}
	send := func(tab *browsertest.Tab, to, text string) {
		tab.Do(t, fmt.Sprintf(`document.querySelector("#send select").value = %q`, to))
		tab.Fill(t, "#send input", text)
		tab.Click(t, "#send button")
	}
	const texts = `[...document.querySelectorAll("#list p:first-child")].map((e) => e.textContent).join("|")`
	alice := first.Another(t)
	enter(alice, "alice")
	second := first.Another(t)
	second.Open(t, address)
	second.Await(t, live)
	bob := first.Private(t)
	enter(bob, "bob")
	hub.AwaitMetric(t, "mercure_subscribers_connected", "2")

	bob.Do(t, `const { subscribe } = await import("/client/index.js");
		const { hub, tokenFrom } = await import("/shared/page.js");
		window.stolen = [];
		window.theft = subscribe({hub, topic: "https://example.com/users/alice/notifications", token: tokenFrom("/token", {user: "bob"}), onEvent: (e) => stolen.push(e)});`)
	bob.Await(t, `theft.state === "open"`)
	send(bob, "alice", "Lunch at noon?")
	for _, tab := range []*browsertest.Tab{alice, second} {
		tab.Await(t, texts+` === "Lunch at noon?" && document.title === "(1) Notifications"`)
	}
	send(alice, "bob", "Yes <i>please</i>")
	bob.Await(t, texts+` === "Yes <i>please</i>"`)
	if n := bob.Text(t, `stolen.length`); n != "0" {
		t.Errorf("bob has %s notifications of alice", n)
	}
	send(bob, "alice", "The usual place. I will bring the drawings of the new hub, and the sandwiches.")
	alice.Await(t, `document.querySelectorAll("#list .unread").length === 2`)
	alice.Click(t, "#read")
	second.Await(t, `document.querySelectorAll("#list .unread").length === 0 && document.title === "Notifications"`)
	send(bob, "alice", "Coming?")
	alice.Await(t, `document.querySelectorAll("#list .unread").length === 1`)
	picture(t, alice, "notifications")
	alice.Open(t, address)
	alice.Await(t, `document.querySelectorAll("#list li").length === 3 && document.querySelectorAll("#list .unread").length === 1`)

	// Somebody else signs in, in the same browser: the tab of alice gets no token of theirs.
	got := second.Text(t, `fetch("/session", {method: "POST", body: '{"user":"carol"}'})
		.then(() => fetch("/token", {method: "POST", body: '{"user":"alice"}'})).then((r) => r.status)`)
	if got != "401" {
		t.Errorf("a page of alice is answered %s when carol is signed in", got)
	}
}

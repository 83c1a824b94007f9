package main

import (
	"testing"

	"hubd/internal/hubtest"
)

// The console asks the hub about its own stream, and about one that was never there, and counts topics.
func TestConsoleAsksTheHub(t *testing.T) {
	t.Parallel()
	c := openConsole(t)
	c.fill(t, "#subscribe-form .matcher input", topic)
	c.click(t, "#subscribe-form [type=submit]")
	c.await(t, `document.querySelector("#state").dataset.state === "open"`)
	other := c.hub.PublishData(t, "https://example.com/other", "other")
	c.hub.PublishData(t, topic, "mine")
	c.await(t, events+` === "mine"`)
	c.click(t, "#events summary")
	c.await(t, `[...document.querySelectorAll("#events button")].some(b => b.textContent === "Why not there?")`)
	c.text(t, `[...document.querySelectorAll("#events button")].find(b => b.textContent === "Why not there?").click()`)
	c.click(t, "#explain-form [type=submit]")
	const answer = `document.querySelector("#why-answer").textContent`
	c.await(t, answer+`.includes("had taken it by")`)
	c.await(t, `document.querySelectorAll("#why-steps li[data-ok=true]").length === 6`)
	c.fill(t, "#explain-form [name=id]", other)
	c.click(t, "#explain-form [type=submit]")
	c.await(t, answer+`.includes("No matcher of the stream selects")`)
	c.await(t, `document.querySelector("#why-steps").textContent.includes("https://example.com/other")`)
	c.fill(t, "#explain-form [name=subscriber]", "urn:uuid:00000000-0000-4000-8000-000000000000")
	c.click(t, "#explain-form [type=submit]")
	c.await(t, answer+`.includes("No stream with this id")`)
	c.click(t, "#tab-subscriptions")
	c.click(t, "#topics-form [type=submit]")
	c.await(t, `[...document.querySelectorAll("#topics-list li")].map(e => e.children[0].textContent + e.children[1].textContent + e.children[2].textContent).join() === "`+
		topic+`1 update1 stream,https://example.com/other1 update0 streams"`)
	c.text(t, `location.hash = "#token=`+hubtest.Token(t, nil, []string{topic})+`"`)
	c.await(t, `location.hash === ""`)
	c.click(t, "#topics-form [type=submit]")
	c.await(t, `document.querySelector("#topics-form .good")?.textContent.startsWith("1 topic that the token grants")`)
}

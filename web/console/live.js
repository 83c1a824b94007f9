// The live view: a subscription and what it brings.
import { copy } from "./clipboard.js";
import { token } from "./credentials.js";
import { subscribeCommand } from "./curl.js";
import { all, make, one, say } from "./dom.js";
import { EventList } from "./eventlist.js";
import { EARLIEST, hubURL } from "./hub.js";
import { Matchers } from "./matchers.js";
import { Stream } from "./stream.js";

const form = one("#subscribe-form");
const { start, cursor } = form.elements;
const answer = one("[data-answer]", form);
let matchers;
let list;
let stream = null;
let counts = { reconnects: 0, gaps: 0 };

// asked returns what the form asks for.
export function asked() {
  const from = { now: "", earliest: EARLIEST, after: cursor.value.trim() }[start.value];
  return { matchers: matchers.value, cursor: from, token: token("subscriber") };
}

export const liveCursor = () => stream?.cursor ?? "";

// liveStream is the id of the stream, empty if there is none.
export const liveStream = () => stream?.id ?? "";

export function startLive(actions) {
  matchers = new Matchers(form, { kind: "match_urlpattern", pattern: "https://example.com/books/:id" });
  list = new EventList({
    list: one("#events"), empty: one("#events-empty"), kept: one("#events-kept"),
    received: one("#received"), announce: one("#announce"),
  }, actions);
  start.addEventListener("change", () => {
    cursor.closest("label").hidden = start.value !== "after";
    cursor.required = start.value === "after";
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    subscribe();
  });
  form.elements.stop.addEventListener("click", () => stream?.stop());
  form.elements.curl.addEventListener("click", (event) => {
    if (form.reportValidity()) copy(subscribeCommand(hubURL, asked()), event.target);
  });
  one("#filter").addEventListener("input", (event) => list.setFilter(event.target.value));
  one("#clear").addEventListener("click", () => list.clear());
  one("#pause").addEventListener("click", (event) => {
    list.setPaused(!list.paused);
    event.target.setAttribute("aria-pressed", String(list.paused));
    event.target.textContent = list.paused ? "Resume" : "Pause";
  });
}

// useMatchers puts other matchers into the form, for a hub that speaks 0.x alone.
export const useMatchers = (list) => matchers.set(list);

function subscribe() {
  stream?.stop();
  say(answer, "");
  counts = { reconnects: 0, gaps: 0 };
  all(".gap", one("#events")).forEach((row) => row.remove());
  const mine = new Stream({
    ...asked(),
    onEvent: (event) => { if (stream === mine) list.add(event); },
    onState: (name, text) => { if (stream === mine) showState(name, text); },
    onReconnect: () => { counts.reconnects++; },
    onGap: (text) => {
      counts.gaps++;
      one("#events").prepend(make("li", { className: "gap", textContent: `Gap: ${text}` }));
    },
  });
  stream = mine;
  const ticker = setInterval(showFacts, 250);
  mine.run().finally(() => {
    clearInterval(ticker);
    if (stream === mine) running(false);
  });
  running(true);
}

function running(yes) {
  form.elements.stop.hidden = !yes;
  one('[type="submit"]', form).textContent = yes ? "Restart" : "Subscribe";
  showFacts();
}

function showState(name, text) {
  const state = one("#state");
  state.dataset.state = name;
  state.textContent = name === "refused" ? "refused" : text;
  if (name === "refused") say(answer, text, "bad");
  showFacts();
}

function showFacts() {
  one("#reconnects").textContent = counts.reconnects;
  one("#gaps").textContent = counts.gaps;
  one("#cursor").textContent = liveCursor() || "none yet";
  one("#stream-id").textContent = liveStream() || "none yet";
}

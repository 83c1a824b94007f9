// The view that asks why a stream did not get an update.
import { token } from "./credentials.js";
import { diagnose } from "./diagnosis.js";
import { make, one, say } from "./dom.js";
import { fillIn } from "./explain.js";
import { EARLIEST, everything } from "./hub.js";
import { asked, liveCursor, liveStream } from "./live.js";
import { Matchers } from "./matchers.js";
import { readPage } from "./page.js";

const form = one("#why-form");
const steps = one("#why-steps");
const answer = one("#why-answer");
let matchers;
let abort = null;

export function startWhy() {
  matchers = new Matchers(form, { kind: "match", pattern: "" });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    find();
  });
  form.elements.stop.addEventListener("click", () => abort?.abort());
  form.elements.mine.addEventListener("click", takeLive);
}

// takeLive fills in what the live view subscribes to.
export function takeLive() {
  matchers.set(asked().matchers);
  form.elements.token.value = token("subscriber");
  form.elements.cursor.value = liveCursor();
  fillIn(liveStream(), "");
}

// about asks about an event.
export function about(id) {
  takeLive();
  form.elements.id.value = id;
  fillIn("", id);
  one("#explain-form").elements.subscriber.focus();
}

async function find() {
  abort?.abort();
  const mine = abort = new AbortController();
  const { id, cursor, token: theirs, inspector, stop } = form.elements;
  steps.replaceChildren();
  one("#why-empty").hidden = true;
  one("#why-limits").hidden = true;
  stop.hidden = false;
  say(answer, "Looking …");
  const clean = (field) => field.value.trim();
  try {
    const text = await diagnose(
      { matchers: matchers.value, token: clean(theirs), inspector: clean(inspector), id: clean(id), cursor: clean(cursor) },
      { read: (what) => readPage({ ...what, signal: mine.signal }), everything: everything(), EARLIEST },
      (ok, step) => { if (abort === mine) steps.append(make("li", { "data-ok": String(ok), textContent: step })); },
    );
    if (abort !== mine) return;
    say(answer, text);
    one("#why-limits").hidden = false;
  } catch (error) {
    if (abort !== mine) return;
    say(answer, mine.signal.aborted ? "Stopped." : error.message, mine.signal.aborted ? "" : "bad");
  }
  stop.hidden = true;
}

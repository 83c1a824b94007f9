// Walking the history, a page at a time.
import { token } from "./credentials.js";
import { one, say } from "./dom.js";
import { eventRow } from "./eventrow.js";
import { EARLIEST } from "./hub.js";
import { Matchers } from "./matchers.js";
import { QUIET, readPage } from "./page.js";
import { plural } from "./text.js";

const form = one("#history-form");
const { cursor, size, next, stop } = form.elements;
const answer = one("[data-answer]", form);
const list = one("#history-list");
let matchers;
let abort = null;
let last = "";

export function startHistory(actions) {
  matchers = new Matchers(form, { kind: "match", pattern: "*" });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    turn(cursor.value.trim() || EARLIEST, actions);
  });
  next.addEventListener("click", () => {
    cursor.value = last;
    turn(last, actions);
  });
  stop.addEventListener("click", () => abort?.abort());
}

export const useHistoryMatchers = (list) => matchers.set(list);

async function turn(from, actions) {
  abort?.abort();
  const mine = abort = new AbortController();
  list.replaceChildren();
  one("#history-empty").hidden = true;
  next.hidden = true;
  stop.hidden = false;
  say(answer, "Reading …");
  const rows = [];
  try {
    const page = await readPage({
      matchers: matchers.value, token: token("subscriber"), cursor: from, count: Number(size.value), signal: mine.signal,
      onEvent: (event) => rows.push(eventRow(event, actions)),
    });
    if (abort !== mine) return;
    last = page.last;
    next.hidden = page.end !== "full";
    say(answer, describe(page, from), gap(page, from) ? "bad" : "good");
  } catch (error) {
    if (abort !== mine) return;
    say(answer, mine.signal.aborted ? "Stopped." : error.message, mine.signal.aborted ? "" : "bad");
  }
  stop.hidden = true;
  list.append(...rows);
  one("#history-empty").hidden = rows.length > 0;
  one("#history-empty").textContent = "The page has no events.";
}

const gap = (page, from) => from !== EARLIEST && page.began !== from;

function describe(page, from) {
  const missing = gap(page, from) ? "The event to begin after is not retained, so this begins with the oldest that is. " : "";
  const end = page.end === "full" ? "there may be more" : `no more came within ${QUIET / 1000} s, so this is the end for now`;
  return `${missing}${plural(page.count, "event")}; ${end}.`;
}

// Active subscriptions, by the subscription API of both dialects.
import { token } from "./credentials.js";
import { make, one, say } from "./dom.js";
import { hubURL, refusal, subscriptions } from "./hub.js";
import { plural } from "./text.js";

const form = one("#subscriptions-form");
const { type, pattern } = form.elements;
const answer = one("[data-answer]", form);
const list = one("#subscriptions-list");
const empty = one("#subscriptions-empty");

// PAGE is how many subscriptions are asked for at a time, and PAGES how many times.
const PAGE = 1000;
const PAGES = 20;

// MATCHERS and SUBSCRIBERS are how many are shown; all are counted.
const MATCHERS = 500;
const SUBSCRIBERS = 100;

export function startSubscriptions() {
  type.addEventListener("change", () => {
    pattern.closest("label").hidden = type.value === "";
    pattern.required = type.value !== "";
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
}

function path() {
  if (type.value === "") return "";
  const matcher = `/${encodeURIComponent(pattern.value)}`;
  return type.value === "topic" ? matcher : `/${type.value}${matcher}`;
}

async function ask() {
  list.replaceChildren();
  empty.hidden = false;
  empty.textContent = "No subscriptions to show.";
  say(answer, "Asking …");
  try {
    const { all, more, failed } = await collect();
    if (failed) {
      say(answer, failed, "bad");
      return;
    }
    const groups = group(all);
    list.append(...groups.slice(0, MATCHERS).map(show));
    empty.hidden = groups.length > 0;
    say(answer, `${plural(all.length, "subscription")} of ${plural(groups.length, "matcher")}.${groups.length > MATCHERS ? ` The ${MATCHERS} with most are shown.` : ""}${more ? " The hub has more, which were not asked for." : ""}`, "good");
  } catch (error) {
    say(answer, `The hub did not answer: ${error.message}`, "bad");
  }
}

async function collect() {
  const all = [];
  let query = `?limit=${PAGE}`;
  for (let i = 0; i < PAGES && query; i++) {
    const response = await subscriptions(path() + query, token("subscriber"));
    if (!response.ok) return { failed: await explain(response) };
    all.push(...(await response.json()).subscriptions);
    const next = /<[^>]*(\?[^>]*)>; rel="next"/.exec(response.headers.get("Link") ?? "");
    query = next?.[1] ?? "";
  }
  return { all, more: query !== "" };
}

async function explain(response) {
  const why = await refusal(response);
  if (why.status === 404 && why.text.includes("no such page; the hub is at")) {
    return "The subscription API is off. Start the hub with --subscriptions (or HUBD_SUBSCRIPTIONS=true) to have it.";
  }
  if (why.status === 404) return `${why.text} The token's dialect decides which addresses there are: 1.0 names the kind of a matcher, 0.x has topics alone.`;
  const address = `${new URL(hubURL).pathname}/subscriptions${path()}`;
  if (why.status === 403) {
    return `${why.text} It has to grant subscribing to ${address}: "*", in 0.x the template ${new URL(hubURL).pathname}/subscriptions{/topic}{/subscriber}, in 1.0 a URL pattern for that address.`;
  }
  return why.text;
}

// group puts the subscriptions with the same matcher together, those with most first.
function group(all) {
  const groups = new Map();
  for (const subscription of all) {
    const kind = subscription.match_type ? `${subscription.match_type}, 1.0` : "topic, 0.x";
    const matcher = subscription.match ?? subscription.topic;
    const key = `${kind} ${matcher}`;
    if (!groups.has(key)) groups.set(key, { kind, matcher, entries: [] });
    groups.get(key).entries.push(subscription);
  }
  return [...groups.values()].sort((a, b) => b.entries.length - a.entries.length || (a.matcher < b.matcher ? -1 : 1));
}

function show({ kind, matcher, entries }) {
  const details = make("details", {}, make("summary", {},
    make("span", { className: "count", textContent: entries.length.toLocaleString("en") }),
    make("code", { className: "snippet", textContent: matcher }),
    make("span", { className: "type", textContent: kind })));
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return;
    const rows = entries.slice(0, SUBSCRIBERS).map((entry) => make("li", {}, make("code", { textContent: entry.subscriber }),
      entry.payload === undefined ? null : make("pre", { textContent: JSON.stringify(entry.payload, null, 2) })));
    if (entries.length > SUBSCRIBERS) rows.push(make("li", { textContent: `and ${entries.length - SUBSCRIBERS} more` }));
    details.append(make("ul", { className: "subscribers" }, ...rows));
  });
  return make("li", { className: "event" }, details);
}

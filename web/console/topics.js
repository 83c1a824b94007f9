// Topics of the newest updates, with how many updates they had and how many streams follow them.
import { token } from "./credentials.js";
import { make, one, say } from "./dom.js";
import { ask, refusal } from "./hub.js";
import { plural } from "./text.js";

const form = one("#topics-form");
const answer = one("[data-answer]", form);
const list = one("#topics-list");
const empty = one("#topics-empty");

export function startTopics() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    load();
  });
}

async function load() {
  list.replaceChildren();
  empty.hidden = false;
  empty.textContent = "No topics to show.";
  say(answer, "Asking …");
  try {
    const response = await ask("topics", token("subscriber"));
    if (!response.ok) {
      say(answer, (await refusal(response)).text, "bad");
      return;
    }
    const { updates, found, topics, subscription_events: own = 0 } = await response.json();
    list.append(...topics.map(row));
    empty.hidden = topics.length > 0;
    const shown = topics.length < found ? ` The ${topics.length.toLocaleString("en")} with most updates are shown.` : "";
    const streams = topics.some(({ streams: n }) => n !== undefined) || topics.length === 0 ? ""
      : " How many streams follow them is told to tokens that grant all subscriptions.";
    const left = own ? `, without ${plural(own, "subscription event")}` : "";
    say(answer, `${plural(found, "topic")} that the token grants, in the newest ${plural(updates, "update")}${left}.${shown}${streams}`, "good");
  } catch (error) {
    say(answer, `The hub did not answer: ${error.message}`, "bad");
  }
}

const row = ({ topic, updates, newest, streams }) => make("li", { className: "topic" },
  make("code", { textContent: topic }),
  make("span", { textContent: plural(updates, "update") }),
  streams === undefined ? null : make("span", { textContent: plural(streams, "stream") }),
  make("time", { dateTime: newest, textContent: new Date(newest).toLocaleString() }));

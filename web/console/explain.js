// What the hub itself knows of a stream and an update. It needs the stream's id, which the hub sends with the stream.
import { token } from "./credentials.js";
import { lines, make, one, say } from "./dom.js";
import { ask, refusal } from "./hub.js";

const form = one("#explain-form");
const { subscriber, id } = form.elements;
const steps = one("#why-steps");
const answer = one("#why-answer");

export function startExplain() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    explain();
  });
}

// fillIn takes what the live view knows.
export function fillIn(stream, event) {
  if (stream) subscriber.value = stream;
  if (event) id.value = event;
}

async function explain() {
  steps.replaceChildren();
  one("#why-empty").hidden = true;
  one("#why-limits").hidden = true;
  say(answer, "Asking …");
  const asked = new URLSearchParams({ subscriber: subscriber.value.trim(), event: id.value.trim() });
  try {
    const response = await ask(`explain?${asked}`, token("subscriber"));
    if (!response.ok) {
      say(answer, (await refusal(response)).text, "bad");
      return;
    }
    const told = await response.json();
    say(answer, told.text, told.outcome === "delivered" ? "good" : "");
    answer.scrollIntoView({ block: "nearest" });
    steps.append(...findings(told).map(([ok, text]) => make("li", { "data-ok": String(ok) }, make("span", {}, ...lines(text)))));
  } catch (error) {
    say(answer, `The hub did not answer: ${error.message}`, "bad");
  }
}

const OUTCOMES = ["unknown_stream", "unknown_event", "not_selected", "not_granted", "before_cursor"];
// when is a time to the millisecond.
const when = (time) => new Date(time).toISOString().replace("T", " ").replace("Z", " UTC");
const matcher = ({ match_type: type, match, topic }) => (type ? `${match} (${type}, 1.0)` : `${topic} (topic, 0.x)`);

// findings are the steps that lead to an outcome, as pairs of whether it is well, true, false or null, and a text.
export function findings({ outcome, stream, update, delivery, waiting }) {
  const failed = OUTCOMES.indexOf(outcome);
  const passed = (step) => failed < 0 || failed > step;
  const list = [];
  if (stream) {
    list.push([!stream.ended, `The stream was opened at ${when(stream.opened)}${stream.ended ? ` and ended at ${when(stream.ended)} (${stream.reason})` : " and is open"}.`]);
  }
  if (!update) return list;
  list.push([true, `The update was stored at ${when(update.stored)}, ${update.private ? "private" : "public"}, with the topics ${update.topics.join(", ")}.`]);
  list.push([passed(2), `The matchers of the stream: ${stream.matchers.map(matcher).join(", ")}.`]);
  if (passed(2)) list.push([passed(3), update.private ? "The update is private: the stream's token has to grant one of its topics." : "The update is public."]);
  if (passed(3)) list.push([passed(4), passed(4) ? "It comes after the place where the stream began." : "It comes before the place where the stream began."]);
  if (delivery) list.push([true, `Delivered (${delivery.by}) between ${when(delivery.not_before)} and ${when(delivery.not_after)}.`]);
  if (waiting) list.push([null, `Waiting (${waiting.for}) since ${when(waiting.since)}, ${waiting.queued_bytes} bytes queued${waiting.socket_full ? `; the client reads nothing since ${when(waiting.socket_full)}` : ""}.`]);
  if (outcome === "ended") list.push([false, "The stream had not got it when it ended."]);
  return list;
}

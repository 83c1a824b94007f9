// One event in a list. Its details are made when it is opened: most never are.
import { copy } from "./clipboard.js";
import { make } from "./dom.js";
import { clock, pretty } from "./text.js";

const SNIPPET = 200;

// eventRow returns the list item. actions are pairs of a label and a function that takes the event.
export function eventRow(event, actions = []) {
  const summary = make("summary", {},
    event.at ? make("time", { textContent: clock(event.at), dateTime: event.at.toISOString() }) : null,
    make("span", { className: "type", textContent: event.type }),
    make("span", { className: "snippet", textContent: event.data.slice(0, SNIPPET) || "(no data)" }),
    make("code", { className: "id", textContent: event.id, title: "Event id" }));
  const details = make("details", {}, summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(body(event, actions));
  });
  return make("li", { className: "event" }, details);
}

function body(event, actions) {
  const json = pretty(event.data);
  const payload = make("pre", { tabIndex: 0, textContent: json ?? event.data, "aria-label": "Payload", role: "region" });
  const buttons = make("p", { className: "actions" });
  const button = (label, action) => {
    const element = make("button", { type: "button", className: "quiet", textContent: label });
    element.addEventListener("click", () => action(element));
    buttons.append(element);
  };
  if (json !== null) {
    button("As text", (element) => {
      const formatted = element.textContent === "As JSON";
      payload.textContent = formatted ? json : event.data;
      element.textContent = formatted ? "As text" : "As JSON";
    });
  }
  button("Copy data", (element) => copy(event.data, element));
  button("Copy id", (element) => copy(event.id, element));
  for (const [label, action] of actions) button(label, () => action(event));
  return make("div", { className: "payload" }, payload, buttons);
}

// matches tells whether an event has the text, whatever its case, in its id, type or data.
export const matches = (event, text) =>
  text === "" || `${event.id}\n${event.type}\n${event.data}`.toLowerCase().includes(text.toLowerCase());

import { discover, subscribe } from "/client/index.js";
import { complain, hub, make, one, post, showState, tokenFrom } from "/shared/page.js";

const list = one("#messages");
let you = "";

one("#join").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await post("/session", { name: new FormData(event.target).get("name") });
    complain(null);
    await enter();
  } catch (error) {
    complain(error);
  }
});

one("#say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = event.target.elements.text;
  const text = field.value;
  field.value = "";
  field.focus();
  try {
    await post("/messages", { text });
    complain(null);
  } catch (error) {
    // What was typed is not lost, unless something else has been typed since.
    field.value ||= text;
    complain(error);
  }
});

// Loads the newest messages and says after which the stream has to begin; false if nobody has joined in this browser.
async function load() {
  const response = await fetch("/messages");
  if (response.status === 401) return false;
  if (!response.ok) throw new Error(await response.text());
  const { you: id, topic, messages } = await response.json();
  you = id;
  list.replaceChildren();
  messages.forEach(show);
  return { topic, lastEventID: discover(response, { origins: [new URL(hub).origin] }).lastEventID };
}

async function enter() {
  const room = await load();
  one("#join").hidden = Boolean(room);
  one("#room").hidden = !room;
  if (!room) return;
  subscribe({
    hub,
    topic: room.topic,
    lastEventID: room.lastEventID,
    token: tokenFrom("/token"),
    onState: showState,
    onEvent: ({ data }) => show(JSON.parse(data)),
    // Messages are missing: load them again. Those that arrive meanwhile come after them.
    onGap: () => load().catch(complain),
    onError: (error) => error.final && complain(new Error("You were signed out. Reload the page to join again.")),
  });
  one("#say input").focus();
}

function show({ author, name, text, at }) {
  if (!text) return;
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const time = make("time", { dateTime: at, textContent: new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }), className: "quiet" });
  const own = author === you;
  list.append(make("li", { className: own ? "message own" : "message" },
    make("header", {}, make("strong", { textContent: own ? "You" : name }), time), make("p", { textContent: text })));
  one("#empty").hidden = true;
  // Whoever has scrolled up to read is left there.
  if (atEnd || own) list.scrollTop = list.scrollHeight;
}

enter().catch(complain);

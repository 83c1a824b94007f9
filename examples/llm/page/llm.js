import { discover, subscribe } from "/client/index.js";
import { complain, hub, make, one, post, showState, tokenFrom } from "/shared/page.js";

const turns = one("#turns");
// The conversation is in the address, so that a reload finds it again. The address alone opens nothing: the cookie has to fit.
let path = "";
let answer = null;

const show = {
  begin() {},
  prompt(text) {
    turns.append(make("li", { className: "prompt", textContent: text }));
    answer = make("li", { className: "answer" });
    answer.setAttribute("aria-busy", "true");
    turns.append(answer);
    busy(true);
  },
  token(text) {
    answer?.append(text);
  },
  end() {
    answer?.setAttribute("aria-busy", "false");
    // Readers of screens hear the answer once, when it is complete.
    one("#finished").textContent = answer?.textContent ?? "";
    answer = null;
    busy(false);
  },
};

function busy(yes) {
  one("#send").hidden = yes;
  one("#stop").hidden = !yes;
  one("#empty").hidden = true;
}

async function open() {
  let response = location.hash && await fetch(`/conversations/${encodeURIComponent(location.hash.slice(1))}`);
  if (!response || response.status === 401 || response.status === 404) {
    const { id } = await (await post("/conversations")).json();
    history.replaceState(null, "", `#${id}`);
    response = await fetch(`/conversations/${id}`);
  }
  if (!response.ok) throw new Error(await response.text());
  path = new URL(response.url).pathname;
  const { topic } = await response.json();
  subscribe({
    hub,
    topic,
    // The first event of the conversation: the hub sends all of it, what is being said now included.
    lastEventID: discover(response, { origins: [new URL(hub).origin] }).lastEventID,
    token: tokenFrom(`${path}/token`),
    onState: showState,
    onEvent: ({ data }) => {
      const atEnd = innerHeight + scrollY > document.documentElement.scrollHeight - 80;
      const { kind, text } = JSON.parse(data);
      show[kind]?.(text);
      if (atEnd) scrollTo(0, document.documentElement.scrollHeight);
    },
    onGap: () => complain(new Error("The beginning of this conversation is no longer kept.")),
    onError: (error) => error.final && complain(error),
  });
}

async function act(what, value) {
  try {
    await post(`${path}/${what}`, value);
    complain(null);
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

one("#ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = event.target.elements.text;
  if (one("#send").hidden || !field.value.trim()) return;
  if (await act("prompts", { text: field.value })) field.value = "";
});
one("#ask textarea").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});
one("#stop").addEventListener("click", () => act("stop"));
one("#new").addEventListener("click", () => {
  history.replaceState(null, "", location.pathname);
  location.reload();
});

open().catch(complain);

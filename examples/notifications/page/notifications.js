import { subscribe } from "/client/index.js";
import { complain, hub, make, one, post, showState, tokenFrom } from "/shared/page.js";

const USERS = ["alice", "bob", "carol"];
const list = one("#list");

async function open() {
  const response = await fetch("/session");
  if (response.status === 401) {
    choose();
    return;
  }
  if (!response.ok) throw new Error(await response.text());
  const { user, topic } = await response.json();
  one("#user").textContent = user;
  one("#desk").hidden = one("#out").hidden = false;
  one("#send select").replaceChildren(...USERS.map((name) => make("option", { value: name, textContent: name, selected: name !== user })));
  follow(user, topic);
}

function choose() {
  one("#desk").hidden = one("#out").hidden = true;
  one("#in").hidden = false;
  one("#users").replaceChildren(...USERS.map((user) => {
    const button = make("button", { type: "button", textContent: user, className: "name" });
    button.addEventListener("click", () => enter(user));
    return button;
  }));
}

async function enter(user) {
  try {
    await post("/session", { user });
    // Another user begins with a new page: nothing of the one before is left in it.
    location.reload();
  } catch (error) {
    complain(error);
  }
}

function follow(user, topic) {
  // The newest notification that this user has read in this browser. All that come after it are unread.
  const mark = `read ${user}`;
  let unread = 0;
  let newest = "";
  const readAll = () => {
    unread = 0;
    list.querySelectorAll(".unread").forEach((item) => item.classList.remove("unread"));
    count();
  };
  const count = () => {
    one("#unread").textContent = unread;
    one("#read").disabled = unread === 0;
    document.title = unread > 0 ? `(${unread}) Notifications` : "Notifications";
  };
  subscribe({
    hub,
    topic,
    lastEventID: "earliest",
    // One connection for all tabs, for as long as they are this user's.
    shared: user,
    // Whoever has signed in since, in another tab, is not asked for this one's token.
    token: tokenFrom("/token", { user }),
    onState: showState,
    onError: (error) => error.final && complain(new Error("You were signed out. Reload the page to sign in again.")),
    onEvent: ({ id, data }) => {
      show(JSON.parse(data));
      newest = id;
      unread++;
      if (localStorage.getItem(mark) === id) readAll();
      else count();
    },
  });
  one("#read").addEventListener("click", () => {
    localStorage.setItem(mark, newest);
    readAll();
  });
  // Read in one tab is read in the others.
  addEventListener("storage", ({ key, newValue }) => key === mark && newValue === newest && readAll());
}

function show({ from, text, at }) {
  list.prepend(make("li", { className: "unread" },
    make("div", {}, make("p", { textContent: text }), make("p", { className: "quiet name", textContent: `from ${from}` })),
    make("time", { className: "quiet", dateTime: at, textContent: new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) })));
  one("#empty").hidden = true;
}

one("#send").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  try {
    await post("/notifications", Object.fromEntries(new FormData(form)));
    form.elements.text.value = "";
    complain(null);
  } catch (error) {
    complain(error);
  }
});
one("#out").addEventListener("click", choose);

open().catch(complain);

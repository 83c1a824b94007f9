// What the pages of the examples have in common. Texts always go in as text, never as markup.

/** The hub's URL, which the page was served with. */
export const hub = document.querySelector('meta[name="hub"]').content;

export const one = (selector) => document.querySelector(selector);

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const words = { connecting: "connecting", open: "live", waiting: "reconnecting", paused: "paused", closed: "ended" };

/** Shows the state of the stream in the page's head. */
export function showState(state) {
  const badge = one(".state");
  badge.dataset.state = state;
  badge.textContent = words[state];
}

/** Sends JSON and returns the answer; it throws what the server says. */
export async function post(path, value) {
  const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value ?? {}) });
  if (!response.ok) throw Object.assign(new Error((await response.text()).trim() || response.statusText), { status: response.status });
  return response;
}

/** Gets a token from the address, for the client: null if nobody is signed in. */
export const tokenFrom = (path, value) => async () => {
  try {
    return await (await post(path, value)).text();
  } catch (error) {
    if (error.status === 401) return null;
    throw error;
  }
};

/** Shows a failure of what the user just did, or takes the last one away. */
export function complain(error) {
  const note = one(".error");
  note.hidden = !error;
  note.textContent = error?.message ?? "";
}

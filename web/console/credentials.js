// The two tokens of the page. They are in memory, and in sessionStorage only if the user chose so.

const KEY = "hubd-console-tokens";
const tokens = { subscriber: "", publisher: "" };
const listeners = [];
let remember = false;

export const token = (role) => tokens[role];
export const remembered = () => remember;
export const onChange = (listener) => listeners.push(listener);

export function setToken(role, value) {
  // People paste tokens with the word before them, and with line breaks.
  tokens[role] = value.replace(/^\s*bearer\s+/i, "").replace(/\s+/g, "");
  changed();
}

export function setRemember(yes) {
  remember = yes;
  changed();
}

// load takes what an earlier visit left in this tab and what the fragment of the address offers, and takes the
// fragment out of the address, so that it stays in no history.
export function load() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY));
    if (kept) {
      Object.assign(tokens, { subscriber: String(kept.subscriber ?? ""), publisher: String(kept.publisher ?? "") });
      remember = true;
    }
  } catch {
    // Storage may be off or hold something else: the page works without it.
  }
  const offered = new URLSearchParams(location.hash.slice(1));
  for (const [name, roles] of [["token", ["subscriber", "publisher"]], ["subscriber-token", ["subscriber"]], ["publisher-token", ["publisher"]]]) {
    if (offered.has(name)) roles.forEach((role) => { tokens[role] = offered.get(name); });
  }
  if (location.hash.includes("token=")) history.replaceState(null, "", location.pathname + location.search);
  changed();
}

function changed() {
  try {
    if (remember) sessionStorage.setItem(KEY, JSON.stringify(tokens));
    else sessionStorage.removeItem(KEY);
  } catch {
    remember = false;
  }
  listeners.forEach((listener) => listener());
}

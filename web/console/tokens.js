// The view of the tokens: what they say, what they grant, and what the hub thinks of them.
import { onChange, remembered, setRemember, setToken, token } from "./credentials.js";
import { all, make, one, say } from "./dom.js";
import { known, publish, refusal, subscribe } from "./hub.js";
import { decode, read } from "./token.js";
import { span } from "./text.js";

const OTHER = { subscriber: "publisher", publisher: "subscriber" };

export function startTokens() {
  for (const form of all("#tokens form")) {
    const { role } = form.dataset;
    const area = form.elements.token;
    area.addEventListener("input", () => setToken(role, area.value));
    area.addEventListener("change", () => { area.value = token(role); });
    form.elements.copy.addEventListener("click", () => {
      setToken(OTHER[role], token(role));
      say(one(`form[data-role="${OTHER[role]}"] [data-answer]`), "");
    });
    form.elements.forget.addEventListener("click", () => {
      setToken(role, "");
      say(one("[data-answer]", form), "");
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask(role, one("[data-answer]", form));
    });
  }
  const remember = one("#remember");
  remember.checked = remembered();
  remember.addEventListener("change", () => setRemember(remember.checked));
  onChange(showTokens);
  showTokens();
}

// showTokens decodes both tokens anew: the metadata of the hub, or the time, may have changed what there is to say.
export function showTokens() {
  for (const form of all("#tokens form")) {
    const area = form.elements.token;
    // What is being typed is left alone.
    if (area !== document.activeElement) area.value = token(form.dataset.role);
    one(".decoded", form).replaceChildren(...decoded(token(form.dataset.role)));
  }
  one("#token-summary").textContent = summary();
}

function summary() {
  const [reads, writes] = [token("subscriber"), token("publisher")];
  if (reads && writes) return reads === writes ? "One token for both" : "Two tokens";
  if (reads) return "Subscriber token";
  return writes ? "Publisher token" : "No token";
}

function decoded(text) {
  if (text === "") return [];
  let parts;
  try {
    parts = decode(text);
  } catch (error) {
    return [make("p", { className: "note bad", textContent: error.message })];
  }
  const now = Date.now() / 1000;
  const said = read(parts, now, known().audience);
  return [
    ...said.problems.map((problem) => make("p", { className: "note bad", textContent: problem })),
    make("dl", { className: "facts" },
      fact("Rules", said.dialect === "1.0" ? "1.0: an access token with authorization details" : said.dialect === "0.x" ? "0.x: the mercure claim" : "none that apply"),
      fact("Expires", expiry(said.expires, now)), fact("Signed with", String(parts.header.alg))),
    grants("May publish to", said.grants.publish),
    grants("May receive private updates of", said.grants.subscribe),
    make("details", {}, make("summary", { textContent: "Header and claims" }),
      make("pre", { tabIndex: 0, textContent: `${JSON.stringify(parts.header, null, 2)}\n${JSON.stringify(parts.claims, null, 2)}` })),
  ];
}

function expiry(at, now) {
  if (at === null) return "never";
  const date = new Date(at * 1000).toLocaleString();
  return at > now ? `in ${span(at - now)} (${date})` : `${span(now - at)} ago (${date})`;
}

const fact = (name, text) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: text }));

function grants(title, selectors) {
  const items = selectors.map(({ pattern, kind }) => make("li", {}, make("code", { textContent: pattern }), ` ${kind}`));
  return make("div", { className: "grants" }, make("h3", { textContent: title }),
    items.length > 0 ? make("ul", {}, ...items) : make("p", { className: "hint", textContent: "nothing" }));
}

// ask has the hub judge the token by a request that changes nothing: a stream to a topic that nobody has, closed at once; an
// update without a topic, which a hub reads only after the token.
async function ask(role, answer) {
  say(answer, "Asking …");
  const abort = new AbortController();
  try {
    const response = role === "publisher" ? await publish([], token(role))
      : await subscribe({ matchers: [{ kind: known().v1 ? "match" : "topic", pattern: `urn:uuid:${randomUUID()}` }], token: token(role), signal: abort.signal });
    const accepted = role === "publisher" ? response.status === 400 && !response.headers.has("WWW-Authenticate") : response.ok;
    if (accepted) say(answer, token(role) ? "The hub accepts this token." : "The hub takes subscribers without a token.", "good");
    else {
      const why = await refusal(response);
      say(answer, why.text + (why.challenge && ` (WWW-Authenticate: ${why.challenge})`), "bad");
    }
  } catch (error) {
    say(answer, `The hub did not answer: ${error.message}`, "bad");
  } finally {
    abort.abort();
  }
}

// crypto.randomUUID is for secure contexts only, and a hub may be looked at over plain http.
function randomUUID() {
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

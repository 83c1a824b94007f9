// The hub that serves this page: its addresses, what it speaks, and what its answers mean.

// The page is one step below the hub, whatever path a proxy gives it.
export const hubURL = new URL("..", document.baseURI).href.replace(/\/$/, "");

// EARLIEST is the cursor before everything retained.
export const EARLIEST = "earliest";

// GAP is the type of the event by which hubd says that a cursor is not retained.
export const GAP = "hubd-gap";

const facts = { v1: true, audience: "", subscriptions: null };

// learn reads the protected resource metadata (RFC 9728), which a hub of 0.x alone does not have.
export async function learn() {
  const { origin, pathname } = new URL(hubURL);
  const response = await fetch(`${origin}/.well-known/oauth-protected-resource${pathname}`, plainly());
  if (response.status === 404) {
    facts.v1 = false;
    return facts;
  }
  if (!response.ok) throw new Error((await refusal(response)).text);
  const metadata = await response.json();
  facts.audience = metadata.resource ?? "";
  facts.subscriptions = metadata.mercure_subscriptions === true;
  return facts;
}

export const known = () => facts;

// everything selects every topic, in a dialect that the hub speaks.
export const everything = () => [{ kind: facts.v1 ? "match" : "topic", pattern: "*" }];

// Cookies are left out: what the page may do is what the token shown in it grants.
function plainly(token, more = {}) {
  const headers = { ...more.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  return { cache: "no-store", credentials: "omit", redirect: "error", ...more, headers };
}

export function subscribeURL(matchers, cursor) {
  const query = new URLSearchParams(matchers.map(({ kind, pattern }) => [kind, pattern]));
  if (cursor) query.set(facts.v1 ? "last_event_id" : "lastEventID", cursor);
  return `${hubURL}?${query}`;
}

// subscribe opens a stream. The answer is that of the hub, whatever its status.
export const subscribe = ({ matchers, token, cursor, signal }) =>
  fetch(subscribeURL(matchers, cursor), plainly(token, { signal, headers: { Accept: "text/event-stream" } }));

// publish sends fields, a list of pairs of name and value.
export const publish = (fields, token) =>
  fetch(hubURL, plainly(token, { method: "POST", body: new URLSearchParams(fields) }));

// subscriptions asks the subscription API; path is what follows the address of the whole collection.
export const subscriptions = (path, token) => fetch(`${hubURL}/subscriptions${path}`, plainly(token));

// ask reads one of the hub's further addresses; path is what follows the hub's own.
export const ask = (path, token) => fetch(`${hubURL}/${path}`, plainly(token));

// subscriberOf is the id that the hub gave to a stream.
export const subscriberOf = (response) => response.headers.get("Hubd-Subscriber") ?? "";

// cursorOf is where the hub began to read for a request that named a cursor.
export const cursorOf = (response) => response.headers.get("Mercure-Last-Event-ID") ?? response.headers.get("Last-Event-ID");

// refusal reads an answer that is not a success: what it says, what it means, and whether it is worth trying again.
export async function refusal(response) {
  const said = (await response.text()).trim();
  const challenge = response.headers.get("WWW-Authenticate") ?? "";
  const code = /error="([^"]*)"/.exec(challenge)?.[1] ?? "";
  const seconds = Number(response.headers.get("Retry-After"));
  const meaning = MEANINGS[code] ?? (response.status === 401 ? MEANINGS.none : "");
  return {
    status: response.status, code, challenge,
    retryAfter: seconds > 0 ? seconds * 1000 : 0,
    temporary: response.status === 429 || response.status === 503,
    text: `The hub answered ${response.status}: ${said || response.statusText}.${meaning && ` ${meaning}`}`,
  };
}

const MEANINGS = {
  none: "No token was sent, and this takes one: set it under Tokens.",
  invalid_token: "The hub does not accept the token: it has expired, was signed with another key or for another audience, " +
    "or has a selector that cannot be read. The hub's log says which at the debug level.",
  insufficient_scope: "The token is valid, but it does not grant this.",
  invalid_request: "The Authorization header has another form than Bearer and a token.",
};

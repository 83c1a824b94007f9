// The request that opens a stream, in both dialects of the protocol, and what its answer says about the cursor.
import { HubError, refusal } from "./error.js";

/** @typedef {import("../index.d.ts").Matchers} Matchers */
/** @typedef {Matchers & {hub: string, credentials: RequestCredentials, first: string}} StreamRequest */

export const EARLIEST = "earliest";

// Servers and proxies take URLs of 8,000 bytes at least (RFC 9110, section 4.1).
const LONGEST_URL = 8000;

/** @param {string | string[] | undefined} value */
const list = (value) => (value === undefined ? [] : [value].flat());

/**
 * The part of the options that says what is wanted, made plain: it can be sent to a worker and compared.
 * @param {import("../index.d.ts").SubscribeOptions} options
 * @returns {StreamRequest}
 */
export function streamRequest(options) {
  const base = typeof location === "undefined" || location.href === "about:blank" ? undefined : location.href;
  const request = {
    hub: new URL(options.hub, base).href,
    match: list(options.match),
    matchURLPattern: list(options.matchURLPattern),
    topic: list(options.topic),
    credentials: options.credentials ?? "same-origin",
    first: options.lastEventID ?? "",
  };
  if (request.match.length + request.matchURLPattern.length + request.topic.length === 0) {
    throw new TypeError("nothing to subscribe to: give match, matchURLPattern or topic");
  }
  return request;
}

/** @param {StreamRequest} request @param {string} cursor */
function parameters(request, cursor) {
  const form = new URLSearchParams();
  for (const value of list(request.match)) form.append("match", value);
  for (const value of list(request.matchURLPattern)) form.append("match_urlpattern", value);
  for (const value of list(request.topic)) form.append("topic", value);
  // The cursor that a page begins with comes in the query ("Discovery"), by the name that its dialect has for it; one that
  // the stream itself has reached comes in the header ("Reconnection, State Reconciliation, and Event Sourcing").
  if (cursor !== "" && cursor === request.first) {
    if (form.has("topic")) form.append("lastEventID", cursor);
    if (form.has("match") || form.has("match_urlpattern")) form.append("last_event_id", cursor);
  }
  return form;
}

/**
 * Opens a stream. It throws a HubError if the answer is none.
 * @param {StreamRequest} request
 * @param {string} cursor
 * @param {string} token
 * @param {AbortSignal} signal
 */
export async function openStream(request, cursor, token, signal) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "text/event-stream" };
  if (token !== "") headers.Authorization = `Bearer ${token}`;
  if (cursor !== "" && cursor !== request.first) headers["Last-Event-ID"] = toHeader(cursor);
  const form = parameters(request, cursor);
  const url = new URL(request.hub);
  /** @type {RequestInit} */
  const init = { headers, signal, credentials: request.credentials, cache: "no-store" };
  const query = [url.search.slice(1), form.toString()].filter(Boolean).join("&");
  if (url.href.length + query.length <= LONGEST_URL) {
    url.search = query;
  } else {
    // Only 1.0 has it; to a hub of 0.x the request would be too long either way.
    init.method = "QUERY";
    init.body = form;
  }
  const response = await fetch(url, init);
  if (response.status !== 200) throw await refusal(response);
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
    await response.body?.cancel().catch(() => {});
    throw new HubError("the answer is no event stream; is this the address of a hub?", response.status);
  }
  return response;
}

/**
 * After which event the stream begins, or null if it does not say so or a page of this origin may not read it.
 * @param {Response} response
 */
export function cursorOf(response) {
  const value = response.headers.get("Mercure-Last-Event-ID") ?? response.headers.get("Last-Event-ID");
  return value === null ? null : fromHeader(value);
}

// fetch takes and gives header values as one character per byte; ids are UTF-8.
/** @param {string} text */
export const toHeader = (text) => Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
/** @param {string} text */
export const fromHeader = (text) => new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0)));

/** An answer of the hub that is no stream, or no receipt of an update. */
export class HubError extends Error {
  name = "HubError";
  status;
  /** True if the same request would be refused again. */
  final;
  /** How long the hub asked to wait, in milliseconds. */
  retryAfter;

  /** @param {string} message @param {number} status @param {boolean} [final] @param {number} [retryAfter] */
  constructor(message, status, final = false, retryAfter = 0) {
    super(message);
    this.status = status;
    this.final = final;
    this.retryAfter = retryAfter;
  }
}

// What may be over when the request is repeated: a time-out, too early, too many, and what the server blames on itself.
const temporary = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Reads why the hub refused, of which it says no more than a line.
 * @param {Response} response
 */
export async function refusal(response) {
  const text = response.body ? (await response.text().catch(() => "")).trim().slice(0, 300) : "";
  const message = `the hub answered ${response.status}${text && !text.startsWith("<") ? `: ${text}` : ""}`;
  return new HubError(message, response.status, !temporary.has(response.status), retryAfter(response.headers.get("Retry-After")));
}

/** @param {string | null} value seconds or a date (RFC 9110, section 10.2.3) */
export function retryAfter(value, now = Date.now()) {
  if (!value) return 0;
  const time = /^[0-9]+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(time) ? Math.max(0, time) : 0;
}

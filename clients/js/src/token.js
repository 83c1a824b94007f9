// The access token of a stream: when to ask the application for another.

/** @typedef {import("../index.d.ts").TokenSource} TokenSource */

// The longest time that setTimeout keeps: 2^31 - 1 milliseconds.
const MAX_DELAY = 2_147_483_647;
// The most that a token is replaced ahead of its end.
const MARGIN = 60_000;

/**
 * When a token ends, in milliseconds since 1970, or null if it does not say. It is not verified: the hub does that, here it
 * only sets a timer.
 * @param {string} token
 */
export function expiry(token) {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const { exp } = JSON.parse(atob(payload));
    return typeof exp === "number" && exp > 0 ? exp * 1000 : null;
  } catch {
    return null;
  }
}

export class Tokens {
  /** @type {TokenSource | undefined} */
  #source;
  #token = "";
  #known = false;
  /** @type {number | null} */
  #expires = null;
  #received = 0;

  /** @param {TokenSource | undefined} source */
  constructor(source) {
    this.#source = source;
  }

  /** Whether another token can be had. */
  get renewable() {
    return typeof this.#source === "function";
  }

  /**
   * Returns the token, or an empty text for a request without one.
   * @param {{refused?: boolean, renew?: boolean}} [why] that the hub refused the last one, or that it ends soon
   */
  async get({ refused = false, renew = false } = {}) {
    if (typeof this.#source !== "function") return this.#source ?? "";
    if (this.#known && !refused && !renew && !this.#expired()) return this.#token;
    // An expired token is kept until there is another: failing to get one is not the same as having none.
    const token = (await this.#source({ refused })) ?? "";
    this.#token = token;
    this.#known = true;
    this.#received = Date.now();
    this.#expires = expiry(token);
    return token;
  }

  /**
   * In how many milliseconds the token should be replaced, or null if that is not known. A token that has ended by this
   * machine's clock although it is new says that the clock is wrong: then the hub's word counts.
   */
  delay(random = Math.random) {
    if (!this.renewable || this.#expires === null) return null;
    const life = this.#expires - this.#received;
    if (life <= 0) return null;
    const margin = Math.min(MARGIN, life / 2) * (1 + random()) / 2;
    return Math.min(MAX_DELAY, Math.max(0, this.#expires - margin - Date.now()));
  }

  #expired() {
    return this.#expires !== null && this.#expires > this.#received && Date.now() >= this.#expires;
  }
}

// The newest events of a shared stream, for tabs that join with a cursor of their own.

/** @typedef {import("../index.d.ts").HubEvent} HubEvent */

const MOST_EVENTS = 256;
const MOST_CHARACTERS = 1 << 20;

export class History {
  /** @type {HubEvent[]} */
  #events = [];
  #characters = 0;
  /** The id before the oldest event, or nothing if that is not known. */
  #base;

  /** @param {string} base what the stream began with */
  constructor(base) {
    this.#base = base;
  }

  /** @param {HubEvent} event */
  add(event) {
    this.#events.push(event);
    this.#characters += event.data.length;
    while (this.#events.length > MOST_EVENTS || this.#characters > MOST_CHARACTERS) {
      const oldest = /** @type {HubEvent} */ (this.#events.shift());
      this.#characters -= oldest.data.length;
      this.#base = oldest.id;
    }
  }

  /** What came before is not what comes after: nobody can continue across this point. */
  cut() {
    this.#events = [];
    this.#characters = 0;
    this.#base = "";
  }

  /**
   * The events after a cursor, or null if it is not among them.
   * @param {string} cursor
   */
  after(cursor) {
    if (cursor === "") return null;
    if (cursor === this.#base) return this.#events.slice();
    const at = this.#events.findLastIndex(({ id }) => id === cursor);
    return at < 0 ? null : this.#events.slice(at + 1);
  }
}

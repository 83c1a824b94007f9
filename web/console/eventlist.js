// The list of live events: bounded, newest on top, shown a few times a second however fast they come.
import { eventRow, matches } from "./eventrow.js";
import { plural } from "./text.js";

// LIMIT is how many events are kept; older ones are forgotten.
export const LIMIT = 300;
const INTERVAL = 150;

export class EventList {
  paused = false;
  received = 0;

  #parts;
  #actions;
  #waiting = [];
  #shown = [];
  #filter = "";
  #timer = null;
  #announced = 0;

  // parts: list, empty, kept, received and announce, elements of the page.
  constructor(parts, actions) {
    this.#parts = parts;
    this.#actions = actions;
  }

  add(event) {
    this.received++;
    this.#waiting.push({ ...event, at: new Date() });
    // Twice the limit, cut to the limit: cutting at every event would move the whole list each time.
    if (this.#waiting.length > 2 * LIMIT) this.#waiting = this.#waiting.slice(-LIMIT);
    this.#timer ??= setTimeout(() => this.#render(), INTERVAL);
  }

  setPaused(paused) {
    this.paused = paused;
    this.#render();
  }

  setFilter(text) {
    this.#filter = text.trim();
    for (const { event, row } of this.#shown) row.hidden = !matches(event, this.#filter);
    this.#describe();
  }

  clear() {
    this.#waiting = [];
    this.#shown = [];
    this.received = this.#announced = 0;
    this.#parts.list.replaceChildren();
    this.#render();
  }

  #render() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (!this.paused) {
      const fresh = this.#waiting.slice(-LIMIT).reverse().map((event) => {
        const row = eventRow(event, this.#actions);
        row.hidden = !matches(event, this.#filter);
        return { event, row };
      });
      this.#waiting = [];
      this.#parts.list.prepend(...fresh.map(({ row }) => row));
      this.#shown = [...fresh, ...this.#shown];
      for (const { row } of this.#shown.splice(LIMIT)) row.remove();
    }
    this.#describe();
  }

  #describe() {
    const { empty, kept, received, announce } = this.#parts;
    const waiting = Math.min(this.#waiting.length, LIMIT);
    const visible = this.#shown.filter(({ row }) => !row.hidden).length;
    received.textContent = this.received.toLocaleString("en");
    empty.hidden = this.#shown.length > 0 || waiting > 0;
    const notes = [];
    if (this.paused && waiting > 0) notes.push(`Paused: ${plural(waiting, "event")} waiting.`);
    if (this.#filter) notes.push(`The filter shows ${visible} of ${this.#shown.length}.`);
    if (this.received > LIMIT) notes.push(`The newest ${LIMIT} are kept.`);
    kept.textContent = notes.join(" ");
    kept.hidden = notes.length === 0;
    if (this.received !== this.#announced) {
      this.#announced = this.received;
      announce.textContent = `${plural(this.received, "event")} received`;
    }
  }
}

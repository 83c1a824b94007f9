// Parser of text/event-stream, by the algorithm of the HTML Standard, section 9.2.6.

/** @typedef {import("../index.d.ts").HubEvent} HubEvent */

const BOM = "\uFEFF";

export class Parser {
  /** The id of the newest complete event, which a client resumes from. */
  lastEventID;
  /**
   * The reconnection time that the server asked for, in milliseconds.
   * @type {number | null}
   */
  retry = null;

  // The decoder leaves the byte order mark alone: a stream that is given as text may have one too.
  #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #started = false;
  #afterCR = false;
  #line = "";
  /** @type {string[]} */
  #data = [];
  #type = "";
  #id;

  /** @param {string} [lastEventID] what the stream was asked to resume from */
  constructor(lastEventID = "") {
    this.lastEventID = this.#id = lastEventID;
  }

  /**
   * Takes the next piece of the stream, cut anywhere, and returns the events that it completes.
   * @param {string | Uint8Array} piece
   * @returns {HubEvent[]}
   */
  push(piece) {
    let text = typeof piece === "string" ? piece : this.#decoder.decode(piece, { stream: true });
    if (!this.#started && text !== "") {
      this.#started = true;
      if (text.startsWith(BOM)) text = text.slice(1);
    }
    /** @type {HubEvent[]} */
    const events = [];
    let start = 0;
    if (this.#afterCR && text !== "") {
      // The carriage return has ended its line already: it may have been the last byte for a long time.
      this.#afterCR = false;
      if (text[0] === "\n") start = 1;
    }
    const ends = /\r\n?|\n/g;
    ends.lastIndex = start;
    for (let end = ends.exec(text); end; end = ends.exec(text)) {
      this.#field(this.#line + text.slice(start, end.index), events);
      this.#line = "";
      start = ends.lastIndex;
      this.#afterCR = start === text.length && end[0] === "\r";
    }
    this.#line += text.slice(start);
    return events;
  }

  /** @param {string} line @param {HubEvent[]} events */
  #field(line, events) {
    if (line === "") {
      this.#dispatch(events);
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^[0-9]+$/.test(value)) this.retry = Number(value);
  }

  /** @param {HubEvent[]} events */
  #dispatch(events) {
    this.lastEventID = this.#id;
    if (this.#data.length > 0) {
      events.push({ id: this.#id, type: this.#type || "message", data: this.#data.join("\n") });
    }
    this.#data = [];
    this.#type = "";
  }
}

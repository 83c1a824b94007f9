// Parser of text/event-stream (HTML Standard, section 9.2.6), for streams that fetch reads.

export class Parser {
  // lastEventId is the id of the newest event that was complete, as an EventSource keeps it.
  lastEventId = "";
  // retry is the time in milliseconds that the server asked for, or null.
  retry = null;

  #rest = "";
  #first = true;
  #data = [];
  #type = "";
  #id = "";

  constructor(lastEventId = "") {
    this.lastEventId = this.#id = lastEventId;
  }

  // push takes the next piece of the stream and returns the events that it completes.
  push(text) {
    if (this.#first && text !== "") {
      this.#first = false;
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    const events = [];
    const buffer = this.#rest + text;
    let start = 0;
    for (;;) {
      const end = lineEnd(buffer, start);
      // A carriage return at the very end may be one half of a line break.
      if (end < 0 || (buffer[end] === "\r" && end + 1 === buffer.length)) break;
      this.#line(buffer.slice(start, end), events);
      start = end + (buffer[end] === "\r" && buffer[end + 1] === "\n" ? 2 : 1);
    }
    this.#rest = buffer.slice(start);
    return events;
  }

  #line(line, events) {
    if (line === "") {
      this.#dispatch(events);
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) this.retry = Number(value);
  }

  #dispatch(events) {
    this.lastEventId = this.#id;
    if (this.#data.length > 0) {
      events.push({ id: this.#id, type: this.#type || "message", data: this.#data.join("\n") });
    }
    this.#data = [];
    this.#type = "";
  }
}

function lineEnd(text, from) {
  const feed = text.indexOf("\n", from);
  const carriage = text.slice(from, feed < 0 ? undefined : feed).indexOf("\r");
  return carriage < 0 ? feed : from + carriage;
}

// read yields the events of a response as they arrive. The parser keeps the cursor.
export async function* read(response, parser) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(value);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

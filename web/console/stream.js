// A subscription that stays: it resumes from its cursor when its connection ends, and tells when events may be missing.
import { cursorOf, EARLIEST, GAP, refusal, subscribe, subscriberOf } from "./hub.js";
import { Parser, read } from "./sse.js";

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;

// pause returns how long to wait before attempt number n, from 0, in milliseconds: twice as long each time, spread so that
// the clients of one hub do not come back together. least is what the hub asked for.
export const pause = (n, least = 0, random = Math.random) =>
  Math.max(least, Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** n) * (0.5 + random() / 2));

export class Stream {
  #options;
  #abort = new AbortController();
  #parser;
  #wait = 0;

  // id is what the hub calls the stream; each connection gets another one.
  id = "";

  // options: matchers, token, cursor; onEvent(event), onState(name, text), onGap(text), onReconnect().
  constructor(options) {
    this.#options = options;
    this.#parser = new Parser(options.cursor ?? "");
  }

  get cursor() {
    return this.#parser.lastEventId;
  }

  stop() {
    this.#abort.abort();
  }

  // run ends when the stream is stopped or refused for good.
  async run() {
    const { onState, onReconnect } = this.#options;
    for (let failures = 0, first = true; !this.#abort.signal.aborted; first = false) {
      if (!first) onReconnect();
      onState("connecting", "connecting …");
      this.#wait = 0;
      let text;
      try {
        const outcome = await this.#connect();
        if (outcome.refused) {
          onState("refused", outcome.refused);
          return;
        }
        if (outcome.opened) failures = 0;
        text = outcome.text;
      } catch (error) {
        text = `connection lost (${error.message})`;
      }
      if (this.#abort.signal.aborted) break;
      const time = pause(failures++, this.#wait || this.#parser.retry || 0);
      onState("waiting", `${text}; again in ${(time / 1000).toFixed(1)} s`);
      await sleep(time, this.#abort.signal);
    }
    onState("idle", "stopped");
  }

  // connect opens the stream once and reads it to its end.
  async #connect() {
    const { matchers, token, onState, onEvent } = this.#options;
    const asked = this.#parser.lastEventId;
    const response = await subscribe({ matchers, token, cursor: asked, signal: this.#abort.signal });
    if (!response.ok) {
      const why = await refusal(response);
      if (!why.temporary) return { refused: why.text };
      this.#wait = why.retryAfter;
      return { text: why.text };
    }
    this.#parser = new Parser(asked);
    this.id = subscriberOf(response);
    onState("open", "connected");
    this.#checkCursor(asked, cursorOf(response));
    for await (const event of read(response, this.#parser)) {
      // The header said so before. An update of the same type has an id of its own.
      if (event.type === GAP && event.id === asked) continue;
      onEvent(event);
    }
    return { opened: true, text: "the hub ended the stream" };
  }

  // The hub says after which event it begins. Another one than was asked for means that the history has a gap.
  #checkCursor(asked, answered) {
    if (asked && asked !== EARLIEST && answered !== asked) {
      this.#options.onGap(`The hub no longer has event ${asked}, so updates after it may be missing. It sends what it retains, from ${answered ?? "the next update"} on.`);
    }
  }
}

function sleep(time, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, time);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

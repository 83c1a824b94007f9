// What the SharedWorker does: one stream for each distinct request, handed to the tabs that want it.
import { HubError } from "./error.js";
import { History } from "./history.js";
import { Stream } from "./stream.js";

/** @typedef {import("./request.js").StreamRequest} StreamRequest */
/** @typedef {{postMessage(message: unknown): void}} Port */
/**
 * A tab's wish.
 * @typedef {object} Join
 * @property {StreamRequest} request
 * @property {string} scope whom the token is for: tabs share a stream only if they agree on it
 * @property {string} cursor
 * @property {string | boolean} token the token itself, or whether the tab can be asked for one
 * @property {number | undefined} silence
 * @property {boolean} paused
 */

// How long a tab may take to get a token before another is asked: it may be frozen.
const PATIENCE = 15_000;

/** @param {Error} error */
const plain = (error) => ({
  message: error.message,
  ...(error instanceof HubError && { status: error.status, final: error.final, retryAfter: error.retryAfter }),
});

export class Registry {
  /** @type {Map<string, Group>} */
  #groups = new Map();

  /** @param {Port} port @param {Join} wish */
  join(port, wish) {
    const { first, ...same } = wish.request;
    const key = JSON.stringify([same, wish.scope, wish.token, wish.silence]);
    const known = this.#groups.get(key);
    const missed = known && wish.cursor !== "" ? known.history.after(wish.cursor) : [];
    // A tab that has to begin where the shared stream no longer is gets a stream of its own.
    if (known && missed) return known.add(port, wish, missed);
    const group = new Group(wish, () => {
      if (this.#groups.get(key) === group) this.#groups.delete(key);
    });
    if (!known) this.#groups.set(key, group);
    const member = group.add(port, wish, []);
    group.start();
    return member;
  }
}

class Group {
  history;
  #stream;
  #end;
  /** @type {Set<Member>} */
  #members = new Set();

  /** @param {Join} wish @param {() => void} end */
  constructor(wish, end) {
    this.#end = end;
    this.history = new History(wish.cursor);
    const token = wish.token === true ? (/** @type {{refused: boolean}} */ why) => this.#ask(why) : wish.token || undefined;
    this.#stream = new Stream(wish.request, { token, silence: wish.silence }, {
      onEvent: (event) => {
        this.history.add(event);
        this.#tell({ type: "event", event });
      },
      onGap: (gap) => {
        this.history.cut();
        this.#tell({ type: "gap", gap });
      },
      onState: (state) => {
        if (state !== "closed") this.#tell({ type: "state", state });
      },
      onError: (error) => this.#tell({ type: "error", error: plain(error) }),
    }, wish.cursor);
  }

  start() {
    this.#stream.run().then(() => null, plain).then((error) => {
      this.#end();
      this.#tell({ type: "end", error });
    });
  }

  /** @param {Port} port @param {Join} wish @param {import("../index.d.ts").HubEvent[]} missed */
  add(port, wish, missed) {
    const member = new Member(this, port, wish.paused);
    this.#members.add(member);
    for (const event of missed) port.postMessage({ type: "event", event });
    port.postMessage({ type: "joined", state: this.#stream.state, lastEventID: this.#stream.lastEventID });
    this.settle();
    return member;
  }

  /** @param {Member} member */
  remove(member) {
    if (!this.#members.delete(member)) return;
    if (this.#members.size > 0) {
      this.settle();
      return;
    }
    this.#end();
    this.#stream.close();
  }

  /** The stream rests while every tab does. */
  settle() {
    if ([...this.#members].every(({ paused }) => paused)) this.#stream.pause();
    else this.#stream.resume();
  }

  wake() {
    this.#stream.wake();
  }

  renew() {
    this.#stream.renew();
  }

  /** @param {unknown} message */
  #tell(message) {
    for (const { port } of this.#members) port.postMessage(message);
  }

  /**
   * Asks the tabs for a token, the newest first, until one has it.
   * @param {{refused: boolean}} why
   */
  async #ask({ refused }) {
    let last = new Error("no tab is left to ask for a token");
    for (const member of [...this.#members].reverse()) {
      if (!this.#members.has(member)) continue;
      try {
        return await member.ask(refused);
      } catch (error) {
        last = /** @type {Error} */ (error);
      }
    }
    throw last;
  }
}

/** One subscription of one tab. */
export class Member {
  port;
  paused;
  #group;
  /** @type {{resolve: (token: string | null) => void, reject: (error: Error) => void} | null} */
  #asked = null;

  /** @param {Group} group @param {Port} port @param {boolean} paused */
  constructor(group, port, paused) {
    this.#group = group;
    this.port = port;
    this.paused = paused;
  }

  /** @param {{type: string, token?: string | null, message?: string, paused?: boolean}} message */
  receive({ type, token, message, paused }) {
    if (type === "leave") this.leave();
    else if (type === "wake") this.#group.wake();
    else if (type === "renew") this.#group.renew();
    else if (type === "pause") {
      this.paused = paused === true;
      this.#group.settle();
    } else if (type === "token") {
      if (message !== undefined) this.#asked?.reject(new Error(message));
      else this.#asked?.resolve(token ?? null);
    }
  }

  leave() {
    this.#group.remove(this);
    this.#asked?.reject(new Error("the tab was closed"));
  }

  /** @param {boolean} refused @returns {Promise<string | null>} */
  async ask(refused) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error("the tab did not answer with a token")), PATIENCE);
        this.#asked = { resolve, reject };
        this.port.postMessage({ type: "token", refused });
      });
    } finally {
      clearTimeout(timer);
      this.#asked = null;
    }
  }
}

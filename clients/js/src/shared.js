// A tab's side of a stream that is shared among tabs.
import { HubError } from "./error.js";
import { Stream } from "./stream.js";

/** @typedef {import("../index.d.ts").State} State */
/** @typedef {import("../index.d.ts").SubscribeOptions} SubscribeOptions */
/** @typedef {"closed" | "left" | "missing" | "lost"} Outcome how it ended: as wished, with the page, because there is no worker, or because it died */

// A worker that does not answer for so long is not there.
const PATIENCE = 15_000;
// A worker that was lost so often is not worth another try.
const MOST_LOSSES = 3;

export const canShare = () => typeof SharedWorker !== "undefined" && typeof document !== "undefined";

export class SharedStream {
  /** @type {State} */
  #state = "connecting";
  #lastEventID;
  #request;
  #options;
  #hooks;
  #paused = false;
  #opened = false;
  #closed = false;
  /** @type {MessagePort | null} */
  #port = null;
  /** @type {(outcome: Outcome) => void} */
  #finish = () => {};
  /** Ends the wait of a page that was left. */
  #proceed = () => {};
  /** @type {Stream | null} the stream of this tab alone, where there is no worker */
  #own = null;

  /** @param {import("./request.js").StreamRequest} request @param {SubscribeOptions} options @param {import("./stream.js").Hooks} hooks */
  constructor(request, options, hooks) {
    this.#request = request;
    this.#options = options;
    this.#hooks = hooks;
    this.#lastEventID = request.first;
  }

  get state() {
    return this.#own?.state ?? this.#state;
  }

  get lastEventID() {
    return this.#own?.lastEventID ?? this.#lastEventID;
  }

  async run() {
    for (let losses = 0; ; ) {
      const outcome = losses < MOST_LOSSES ? await this.#share() : "missing";
      if (outcome === "lost") losses++;
      else if (outcome === "left" && !this.#closed) {
        this.#to("paused");
        if (this.#paused) await new Promise((resolve) => { this.#proceed = () => resolve(null); });
      }
      if (this.#closed || outcome === "closed") return;
      if (this.#lastEventID === "" && this.#opened) this.#hooks.onGap?.({ requested: null, resumedFrom: null });
      if (outcome === "missing") {
        this.#own = new Stream(this.#request, this.#options, this.#hooks, this.#lastEventID);
        if (this.#paused) this.#own.pause();
        await this.#own.run();
        return;
      }
      this.#to("connecting");
    }
  }

  close() {
    this.#closed = true;
    this.#own?.close();
    this.#finish("closed");
    this.#proceed();
    if (!this.#own) this.#to("closed");
  }

  /** @param {boolean} [leaving] whether the page is put aside, and takes no part until it comes back */
  pause(leaving = false) {
    this.#paused = true;
    this.#own?.pause();
    // A page that is told anything while it is put aside is thrown away: it leaves without an answer.
    if (leaving) this.#finish("left");
    else this.#port?.postMessage({ type: "pause", paused: true });
  }

  resume() {
    this.#paused = false;
    this.#own?.resume();
    this.#proceed();
    this.#port?.postMessage({ type: "pause", paused: false });
  }

  wake() {
    this.#own?.wake();
    this.#port?.postMessage({ type: "wake" });
  }

  renew() {
    this.#own?.renew();
    this.#port?.postMessage({ type: "renew" });
  }

  /** @param {State} state */
  #to(state) {
    if (this.#state === state || this.#state === "closed") return;
    this.#state = state;
    this.#opened ||= state === "open";
    this.#hooks.onState?.(state);
  }

  /**
   * Takes part in a shared stream until it or the worker ends.
   * @returns {Promise<Outcome>}
   */
  async #share() {
    const done = new AbortController();
    const lock = await holdLock(done.signal);
    /** @type {SharedWorker} */
    let worker;
    try {
      // A browser freezes a worker with the last page that it puts aside, often before the worker hears that the page
      // leaves, and a frozen worker keeps its connection. One of extended lifetime is not frozen.
      // @ts-expect-error TypeScript does not know the option.
      worker = new SharedWorker(new URL("../worker.js", import.meta.url), { type: "module", name: "hubd-client-2", extendedLifetime: true });
    } catch {
      // The module is on another origin, or a policy forbids workers.
      done.abort();
      return "missing";
    }
    const { port } = worker;
    try {
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => resolve("missing"), PATIENCE);
        done.signal.addEventListener("abort", () => clearTimeout(timer));
        this.#finish = resolve;
        if (this.#closed) resolve("closed");
        worker.onerror = () => resolve("missing");
        port.onmessage = ({ data }) => {
          if (data.type === "hello") {
            clearTimeout(timer);
            if (data.lock) watchLock(data.lock, done.signal, () => resolve("lost"));
          } else if (data.type === "end") {
            if (data.error) {
              this.#to("closed");
              reject(revive(data.error));
            } else resolve("lost");
          } else this.#receive(port, data);
        };
        this.#port = port;
        port.postMessage(this.#wish(lock));
      });
    } finally {
      this.#port = null;
      port.postMessage({ type: "leave" });
      port.onmessage = null;
      done.abort();
    }
  }

  /** @param {string} lock @returns {import("./group.js").Join & {type: "join", lock: string}} */
  #wish(lock) {
    const { token, shared, silence } = this.#options;
    return {
      type: "join", lock, silence,
      request: this.#request,
      scope: typeof shared === "string" ? shared : "",
      cursor: this.#lastEventID,
      token: typeof token === "function" ? true : token ?? "",
      paused: this.#paused,
    };
  }

  /** @param {MessagePort} port @param {any} data */
  #receive(port, data) {
    if (data.type === "event") {
      this.#lastEventID = data.event.id;
      this.#hooks.onEvent(data.event);
    } else if (data.type === "joined") {
      // What the shared stream has delivered so far is not missing here.
      this.#lastEventID = data.lastEventID;
      this.#to(data.state);
    } else if (data.type === "state") this.#to(data.state);
    else if (data.type === "gap") this.#hooks.onGap?.(data.gap);
    else if (data.type === "error") this.#hooks.onError?.(revive(data.error));
    else if (data.type === "token") void this.#answer(port, data.refused);
  }

  /** @param {MessagePort} port @param {boolean} refused */
  async #answer(port, refused) {
    const { token } = this.#options;
    try {
      const value = typeof token === "function" ? await token({ refused }) : token ?? null;
      port.postMessage({ type: "token", token: value });
    } catch (error) {
      port.postMessage({ type: "token", message: error instanceof Error ? error.message : String(error) });
    }
  }
}

/** @param {{message: string, status?: number, final?: boolean, retryAfter?: number}} error */
function revive({ message, status, final, retryAfter }) {
  return status === undefined ? new Error(message) : new HubError(message, status, final, retryAfter);
}

/**
 * Holds a lock of this tab until the signal, and returns its name, which is empty where pages have no locks.
 * @param {AbortSignal} until
 * @returns {Promise<string>}
 */
function holdLock(until) {
  return new Promise((resolve) => {
    if (!navigator.locks) {
      resolve("");
      return;
    }
    const name = `hubd-page-${crypto.randomUUID()}`;
    const hold = () => {
      resolve(name);
      return new Promise((release) => until.addEventListener("abort", release, { once: true }));
    };
    navigator.locks.request(name, hold).catch(() => resolve(""));
  });
}

/** @param {string} name @param {AbortSignal} signal @param {() => void} free */
function watchLock(name, signal, free) {
  navigator.locks.request(name, { signal }, free).catch(() => {});
}

// A stream that stays: it connects again, resumes, replaces its token and says when updates may be missing.
//
//                 token, fetch                    200
//   connecting ───────────────────────────▶ open ─────▶ events; before the token ends a second
//      ▲   ▲  └──── 401: another token ──┘   │          connection takes over from the first
//      │   └────────── resume ── paused ◀────┤ pause
//      │ backoff                             │ ended, cut off, silent for too long
//      └───────────── waiting ◀──────────────┘           closed: by close(), or refused for good
import { backoff } from "./backoff.js";
import { HubError } from "./error.js";
import { Parser } from "./parser.js";
import { cursorOf, EARLIEST, openStream } from "./request.js";
import { Tokens } from "./token.js";

/** @typedef {import("../index.d.ts").HubEvent} HubEvent */
/** @typedef {import("../index.d.ts").Gap} Gap */
/** @typedef {import("../index.d.ts").State} State */
/** @typedef {import("./request.js").StreamRequest} StreamRequest */
/**
 * @typedef {object} Hooks
 * @property {(event: HubEvent) => void} onEvent
 * @property {(gap: Gap) => void} [onGap]
 * @property {(state: State) => void} [onState]
 * @property {(error: Error) => void} [onError]
 */
/**
 * One request and its answer.
 * @typedef {object} Connection
 * @property {AbortController} abort
 * @property {ReadableStreamDefaultReader<Uint8Array>} reader
 * @property {Parser} parser
 * @property {string} asked the cursor that was asked for
 * @property {boolean} told whether the answer's header has said where the stream begins
 * @property {Set<string>} seen ids of events that the connection before this one delivered after this one had begun
 * @property {Connection | null} next the one that takes over
 */

export const GAP = "hubd-gap";
// How long a stream without a cursor is read beside its successor: what was on its way then has arrived.
const OVERLAP = 1000;
// A stream that lived for so long was no failure.
const SETTLED = 5000;

const silent = () => new Error("the stream fell silent");

export class Stream {
  /** @type {State} */
  state = "connecting";
  /** The newest event that was delivered, or what the stream began with. */
  lastEventID;

  #request;
  #hooks;
  #tokens;
  #silence;
  #ended = new AbortController();
  /** Ends every connection there is, also one that is being opened. */
  #rest = new AbortController();
  /** @type {Connection | null} */
  #current = null;
  /**
   * What the present connection delivers while another is being opened, which may bring it once more.
   * @type {Set<string> | null}
   */
  #overlap = null;
  #paused = false;
  #opened = false;
  #since = 0;
  #lastByte = 0;
  /** @type {number | null} */
  #retry = null;
  /** Ends the present pause or wait early. */
  #proceed = () => {};

  /**
   * @param {StreamRequest} request
   * @param {{token?: import("../index.d.ts").TokenSource, silence?: number}} options
   * @param {Hooks} hooks
   * @param {string} [cursor] where to resume, if not where the request says
   */
  constructor(request, options, hooks, cursor = request.first) {
    this.#request = request;
    this.#tokens = new Tokens(options.token);
    this.#silence = options.silence ?? 60_000;
    this.#hooks = hooks;
    this.lastEventID = cursor;
  }

  /** Runs the stream. The promise is kept when it is closed, and broken when the hub refuses it for good. */
  async run() {
    for (let failures = 0; !this.#over; ) {
      if (this.#paused) {
        this.#to("paused");
        // Whoever was just told may have resumed it.
        if (this.#paused) await this.#wait(Infinity);
        continue;
      }
      const { signal } = this.#rest;
      this.#to("connecting");
      if (signal.aborted) continue;
      const cursor = this.lastEventID;
      let pause = 0;
      this.#since = Infinity;
      try {
        await this.#live(await this.#connect(new Set()));
      } catch (error) {
        if (signal.aborted) continue;
        if (error instanceof HubError) {
          pause = error.retryAfter;
          if (error.final) {
            this.close();
            throw error;
          }
        }
        this.#report(error);
      }
      if (signal.aborted) continue;
      if (this.lastEventID !== cursor || Date.now() - this.#since > SETTLED) failures = 0;
      this.#to("waiting");
      await this.#wait(backoff(failures++, this.#retry, pause));
    }
  }

  close() {
    this.#ended.abort();
    this.#rest.abort();
    this.#proceed();
    this.#to("closed");
  }

  /** Ends the connection, at once, until the stream is resumed, which loses nothing that the hub retains. */
  pause() {
    this.#paused = true;
    this.#rest.abort();
    if (!this.#over) this.#rest = new AbortController();
    this.#proceed();
  }

  resume() {
    if (!this.#paused) return;
    this.#paused = false;
    this.#proceed();
  }

  /** Tries at once instead of waiting. A connection that has been silent for too long while timers slept is given up. */
  wake() {
    if (this.state === "waiting") this.#proceed();
    else if (this.state === "open" && this.#silence && Date.now() - this.#lastByte > this.#silence) this.#current?.abort.abort(silent());
  }

  /** Replaces the connection, for one whose way to the hub may be gone without a sign. */
  renew() {
    if (this.state === "open") void this.#replace(false);
    else this.wake();
  }

  get #over() {
    return this.#ended.signal.aborted;
  }

  /** @param {State} state */
  #to(state) {
    if (this.state === state || this.state === "closed") return;
    this.state = state;
    this.#call(this.#hooks.onState, state);
  }

  /** @param {unknown} error */
  #report(error) {
    this.#call(this.#hooks.onError, error instanceof Error ? error : new Error(String(error)));
  }

  /**
   * What the application's functions throw is theirs; the stream goes on.
   * @template T
   * @param {((value: T) => void) | undefined} hook
   * @param {T} value
   */
  #call(hook, value) {
    try {
      hook?.(value);
    } catch (error) {
      queueMicrotask(() => { throw error; });
    }
  }

  /**
   * Opens one connection, with another token if the hub does not take the one at hand.
   * @param {Set<string>} seen what another connection delivers meanwhile
   * @param {{refused?: boolean, renew?: boolean}} [why]
   * @returns {Promise<Connection>}
   */
  async #connect(seen, why) {
    const { signal } = this.#rest;
    const token = await this.#tokens.get(why);
    // There is nothing to end yet: a stream that was closed or paused meanwhile must not begin.
    signal.throwIfAborted();
    const asked = this.lastEventID;
    seen.clear();
    const abort = new AbortController();
    const timer = this.#silence ? setTimeout(() => abort.abort(new Error("the hub does not answer")), this.#silence) : undefined;
    signal.addEventListener("abort", () => abort.abort(), { signal: abort.signal });
    try {
      const response = await openStream(this.#request, asked, token, abort.signal);
      if (!response.body) throw new HubError("the answer has no body", response.status);
      const told = this.#checkCursor(asked, cursorOf(response));
      return { abort, reader: response.body.getReader(), parser: new Parser(asked), asked, told, seen, next: null };
    } catch (error) {
      abort.abort();
      const refused = error instanceof HubError && error.status === 401 && this.#tokens.renewable && !why?.refused;
      if (!refused) throw error;
    } finally {
      clearTimeout(timer);
    }
    return await this.#connect(seen, { refused: true });
  }

  /**
   * The hub says after which event it begins. Another one than was asked for means that some are missing.
   * @param {string} asked @param {string | null} began
   * @returns {boolean} whether the hub has said it
   */
  #checkCursor(asked, began) {
    const again = this.#opened;
    this.#opened = true;
    if (asked === "") {
      // Nothing was received that could be resumed from, so whatever was published in between is missing.
      if (again && !this.#current) this.#call(this.#hooks.onGap, { requested: null, resumedFrom: null });
    } else if (began !== null && began !== asked && asked !== EARLIEST) {
      this.#call(this.#hooks.onGap, { requested: asked, resumedFrom: began });
    }
    return began !== null;
  }

  /**
   * Reads a connection and those that take over from it until the last one ends.
   * @param {Connection} connection
   */
  async #live(connection) {
    this.#current = connection;
    this.#since = Date.now();
    if (!connection.abort.signal.aborted) this.#to("open");
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const schedule = () => {
      clearTimeout(timer);
      const delay = this.#tokens.delay();
      if (delay !== null) timer = setTimeout(() => void this.#replace(true), delay);
    };
    schedule();
    try {
      for (;;) {
        try {
          await this.#read(connection);
        } catch (error) {
          if (!connection.next) throw error;
        }
        if (!connection.next) return;
        connection = connection.next;
        schedule();
      }
    } finally {
      clearTimeout(timer);
      this.#current = null;
      connection.abort.abort();
    }
  }

  /** @param {Connection} connection */
  async #read(connection) {
    const { reader, abort } = connection;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    try {
      for (;;) {
        clearTimeout(timer);
        if (this.#silence) timer = setTimeout(() => abort.abort(silent()), this.#silence);
        const { done, value } = await reader.read();
        abort.signal.throwIfAborted();
        if (done) return;
        this.#lastByte = Date.now();
        this.#deliver(connection, value);
      }
    } finally {
      clearTimeout(timer);
      reader.cancel().catch(() => {});
    }
  }

  /** @param {Connection} connection @param {Uint8Array} piece */
  #deliver({ abort, asked, told, parser, seen }, piece) {
    for (const event of parser.push(piece)) {
      if (abort.signal.aborted) return;
      if (event.type === GAP && event.id === asked) {
        // The hub's notice has no id of its own, unlike an update that happens to have the type.
        if (!told) this.#call(this.#hooks.onGap, { requested: asked, resumedFrom: null });
        continue;
      }
      if (seen.delete(event.id)) continue;
      this.#overlap?.add(event.id);
      this.#call(this.#hooks.onEvent, event);
      this.lastEventID = event.id;
    }
    this.#retry = parser.retry ?? this.#retry;
    if (seen.size === 0 && !abort.signal.aborted) this.lastEventID = parser.lastEventID;
  }

  /**
   * Opens another connection beside the present one and lets it take over. If that fails, the present one lives on, and what
   * ends it in the end starts a new attempt.
   * @param {boolean} renew whether a new token is wanted
   */
  async #replace(renew) {
    const old = this.#current;
    if (!old || this.#overlap) return;
    this.#overlap = new Set();
    try {
      const next = await this.#connect(this.#overlap, { renew });
      if (next.asked === "") await new Promise((resolve) => setTimeout(resolve, OVERLAP));
      if (this.#current !== old || this.#over) {
        next.abort.abort();
        return;
      }
      old.next = next;
      this.#current = next;
      old.abort.abort();
    } catch (error) {
      if (this.#current === old && !old.abort.signal.aborted) this.#report(error);
    } finally {
      this.#overlap = null;
    }
  }

  /** @param {number} time in milliseconds */
  async #wait(time) {
    if (this.#over) return;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    await /** @type {Promise<void>} */ (new Promise((resolve) => {
      this.#proceed = resolve;
      if (time !== Infinity) timer = setTimeout(resolve, time);
    }));
    clearTimeout(timer);
    this.#proceed = () => {};
  }
}

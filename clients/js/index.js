// Client for hubs of the Mercure protocol. README.md shows how to use it, index.d.ts says what there is.
import { watchPage } from "./src/page.js";
import { streamRequest } from "./src/request.js";
import { canShare, SharedStream } from "./src/shared.js";
import { Stream } from "./src/stream.js";

export { discover } from "./src/discovery.js";
export { HubError } from "./src/error.js";
export { Parser } from "./src/parser.js";
export { publish } from "./src/publish.js";

/**
 * @param {import("./index.d.ts").SubscribeOptions} options
 * @returns {import("./index.d.ts").Subscription}
 */
export function subscribe(options) {
  const { onEvent, onGap, onState, onError, signal } = options;
  if (typeof onEvent !== "function") throw new TypeError("onEvent is missing");
  const request = streamRequest(options);
  const hooks = { onEvent, onGap, onState, onError };
  const stream = options.shared && canShare() ? new SharedStream(request, options, hooks) : new Stream(request, options, hooks);
  const ended = new AbortController();
  const close = () => stream.close();
  signal?.addEventListener("abort", close, { signal: ended.signal });
  if (signal?.aborted) close();
  watchPage(stream, options.pauseWhenHidden === true, ended.signal);
  const closed = stream.run().finally(() => ended.abort());
  // Whoever listens to neither has chosen not to know.
  closed.catch((error) => onError?.(error));
  return {
    get state() { return stream.state; },
    get lastEventID() { return stream.lastEventID; },
    closed,
    close,
  };
}

// Reading a bounded part of the history: a stream that is closed when it has brought enough.
import { cursorOf, refusal, subscribe } from "./hub.js";
import { Parser, read } from "./sse.js";

// QUIET is how long a stream brings nothing before its history counts as read to the end. The protocol has no sign for it.
export const QUIET = 1500;

export class Refused extends Error {}

// readPage reads events after the cursor until there are count of them, until(event) is true, or the stream is quiet. It
// returns how it ended ("full", "found", "quiet" or "ended"), the last id and where the hub began.
export async function readPage({ matchers, token, cursor, count = Infinity, until = () => false, onEvent = () => {}, signal }) {
  const abort = new AbortController();
  const stop = () => abort.abort();
  signal?.addEventListener("abort", stop);
  let timer;
  let quiet = false;
  const rearm = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { quiet = true; stop(); }, QUIET);
  };
  const result = { end: "ended", count: 0, last: cursor, began: null };
  try {
    const response = await subscribe({ matchers, token, cursor, signal: abort.signal });
    if (!response.ok) throw new Refused((await refusal(response)).text);
    result.began = cursorOf(response);
    if (count === 0) return { ...result, end: "full" };
    rearm();
    for await (const event of read(response, new Parser())) {
      rearm();
      if (event.id === "") continue; // A notice of the hub, not an update.
      result.count++;
      const found = until(event);
      onEvent(event);
      result.last = event.id;
      if (found || result.count >= count) return { ...result, end: found ? "found" : "full" };
    }
    return result;
  } catch (error) {
    if (quiet && !signal?.aborted) return { ...result, end: "quiet" };
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
    stop();
  }
}

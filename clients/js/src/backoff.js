const FIRST = 1000;
const LONGEST = 30_000;

/**
 * How long to wait before the next attempt, in milliseconds: twice as long after each failure, spread so that the clients
 * of one hub do not come back together, and never sooner than the hub asked for.
 * @param {number} failures how many attempts in a row have failed before this one
 * @param {number | null} retry the reconnection time of the stream
 * @param {number} retryAfter what the last answer asked for
 */
export function backoff(failures, retry = null, retryAfter = 0, random = Math.random) {
  const first = retry ?? FIRST;
  const longest = Math.max(first, LONGEST);
  return Math.max(retryAfter, Math.min(longest, first * 2 ** Math.min(failures, 30))) * (1 + random() / 2);
}

/**
 * Tells a stream what the page it is in learns about its surroundings, until the signal. There is nothing to tell outside
 * of a page.
 * @param {{wake(): void, renew(): void, pause(leaving?: boolean): void, resume(): void}} stream
 * @param {boolean} pauseWhenHidden
 * @param {AbortSignal} signal
 */
export function watchPage(stream, pauseWhenHidden, signal) {
  if (typeof document === "undefined") return;
  const look = () => {
    if (document.visibilityState === "hidden") {
      if (pauseWhenHidden) stream.pause();
      return;
    }
    stream.resume();
    stream.wake();
  };
  document.addEventListener("visibilitychange", look, { signal });
  // A browser may keep a page that was left, to come back to it, with its connections open.
  addEventListener("pagehide", () => stream.pause(true), { signal });
  addEventListener("pageshow", ({ persisted }) => persisted && look(), { signal });
  // Another network: the old connection may hang without a sign. "offline" is not listened to: a hub on this machine or in
  // this house can be there all the same.
  addEventListener("online", () => stream.renew(), { signal });
  if (pauseWhenHidden) look();
}

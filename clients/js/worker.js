// The SharedWorker: src/group.js at the ports of the tabs.
import { Registry } from "./src/group.js";

const registry = new Registry();
const lock = `hubd-worker-${Math.random().toString(36).slice(2)}`;
// Tabs wait for this lock: they get it when the worker is gone, however that came.
const held = new Promise((resolve) => {
  if (!navigator.locks) {
    resolve("");
    return;
  }
  void navigator.locks.request(lock, () => {
    resolve(lock);
    return new Promise(() => {});
  });
});

// @ts-expect-error TypeScript's library for pages does not know the scope of a SharedWorker.
self.onconnect = (/** @type {MessageEvent} */ { ports: [port] }) => {
  /** @type {import("./src/group.js").Member | undefined} */
  let member;
  port.onmessage = ({ data }) => {
    if (data.type !== "join") {
      member?.receive(data);
      if (data.type === "leave") port.close();
      return;
    }
    member = registry.join(port, data);
    // A tab holds its lock for as long as it lives; one that crashes says nothing else.
    if (data.lock) void navigator.locks.request(data.lock, () => member?.leave());
  };
  void held.then((name) => port.postMessage({ type: "hello", lock: name }));
};

// Subscribes with the package eventsource and writes what happens, a JSON object a line:
//   node subscribe.mjs URL [TOKEN]
// The token goes into the header Authorization by way of the package's option "fetch".
import { EventSource } from "eventsource";

const [url, token] = process.argv.slice(2);
const write = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const options = {};
if (token) {
  options.fetch = (input, init) =>
    fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } });
}

const source = new EventSource(url, options);
source.onopen = () => write({ event: "open" });
source.onmessage = (e) => write({ event: "message", id: e.lastEventId, data: e.data });
source.onerror = (e) => write({ event: "error", code: e.code ?? 0, closed: source.readyState === EventSource.CLOSED });
source.addEventListener("hubd-gap", (e) => write({ event: "gap", data: e.data }));

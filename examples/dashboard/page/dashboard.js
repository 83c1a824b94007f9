import { subscribe } from "/client/index.js";
import { complain, hub, make, one, showState } from "/shared/page.js";
import { Chart } from "./chart.js";

const SPAN = 120_000;
const samples = [];
const charts = [
  new Chart("Requests", [{ key: "requests", unit: "/s" }], SPAN),
  new Chart("Latency", [{ key: "p50", label: "median", unit: "ms" }, { key: "p95", label: "95%", unit: "ms" }], SPAN),
  new Chart("Errors", [{ key: "errors", unit: "%" }], SPAN),
];
one("#charts").append(...charts.map(({ element }) => element));

let drawing = 0;

subscribe({
  hub,
  topic: "https://example.com/services/shop/load",
  // The hub keeps the newest samples: the charts begin full. After a lost connection it sends what was missed, and where it no
  // longer can, the charts have a hole.
  lastEventID: "earliest",
  shared: true,
  onState: showState,
  onError: (error) => error.final && complain(error),
  onEvent: ({ data }) => {
    samples.push(JSON.parse(data));
    while (samples[0].at < samples.at(-1).at - SPAN) samples.shift();
    // History comes all at once: it is drawn once.
    drawing ||= requestAnimationFrame(show);
  },
});

function show() {
  drawing = 0;
  for (const chart of charts) chart.show(samples);
  one("tbody").replaceChildren(...samples.slice(-10).reverse().map(({ at, requests, p50, p95, errors }) => make("tr", {},
    ...[new Date(at).toLocaleTimeString(), requests, p50, p95, errors].map((text) => make("td", { textContent: text })))));
}

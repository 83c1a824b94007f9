// The page at /: charts of what the hub has recorded, and profiles.

import { Chart } from "./chart.js";
import { byId } from "./dom.js";
import * as format from "./format.js";
import * as profiles from "./profiles.js";

const quantities = [
	{ name: "streams", title: "Streams", format: format.count, hint: "Streams that are open." },
	{ name: "deliveries_per_second", title: "Deliveries", format: format.rate, hint: "Updates written to streams." },
	{ name: "publishes_per_second", title: "Publishes", format: format.rate, hint: "Updates stored." },
	{ name: "commit_seconds", title: "Commit time", format: format.seconds, hint: "Mean time of a commit to the store." },
	{ name: "lag_events", title: "Fan-out lag", format: format.count, hint: "Stored updates that wait to be handed to streams." },
	{ name: "queue_bytes", title: "Queues", format: format.bytes, binary: true, hint: "Bytes of updates that wait for streams." },
	{ name: "catchup_streams", title: "Streams catching up", format: format.count, hint: "Streams that read history." },
	{ name: "connections", title: "Connections", format: format.count, hint: "To the hub's address: streams, publishers and others." },
	{ name: "goroutines", title: "Goroutines", format: format.count, hint: "Streams hold none while they are idle." },
	{ name: "rss_bytes", title: "Resident memory", format: format.bytes, binary: true, hint: "RSS: what the system has given the process." },
	{ name: "bytes_per_stream", title: "Memory per stream", format: format.bytes, binary: true, hint: "RSS divided by streams, from 100 streams on. It includes what the hub needs without any." },
	{ name: "heap_bytes", title: "Heap in use", format: format.bytes, binary: true, hint: "Objects, with the garbage that is not collected yet." },
	{ name: "live_bytes", title: "Live heap", format: format.bytes, binary: true, hint: "What the last garbage collection found in use. A leak shows here." },
	{ name: "gc_pause_seconds", title: "Longest GC pause", format: format.seconds, hint: "Longest stop of all goroutines for a garbage collection." },
];

let data = null;

const charts = quantities.map(quantity => new Chart(quantity, time => {
	for (const chart of charts) chart.point(time);
}));
byId("charts").append(...charts.map(chart => chart.element));

function draw() {
	if (!data) return;
	const history = data[document.querySelector("input[name=range]:checked").value];
	const span = history.every * (history.points - 1) * 1000;
	for (const chart of charts) chart.show(history.series.time, history.series[chart.key], span);
}

function state(text, kind) {
	byId("state").textContent = text;
	byId("state").className = kind;
}

async function refresh() {
	try {
		const [samples, ready] = await Promise.all([fetch("/dashboard/samples"), fetch("/readyz")]);
		data = await samples.json();
		state(ready.ok ? "ready" : `not ready: ${(await ready.text()).trim()}`, ready.ok ? "good" : "bad");
		draw();
	} catch {
		state("the hub does not answer", "bad");
	}
}

// refreshing asks again after each answer, not by the clock, so that a slow hub gets no second question; a page that nobody
// sees asks nothing.
async function refreshing() {
	if (!document.hidden) await refresh();
	setTimeout(refreshing, 2500);
}

byId("range").addEventListener("change", draw);
addEventListener("resize", draw);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
profiles.start();
refreshing();

// A line chart of one quantity over time. Its axis begins at 0, so that a level looks like what it is.

import { clock } from "./format.js";
import { html, svg } from "./dom.js";

const height = 88;
const top = 14, bottom = 14;

// ceiling is the least of 1, 2, 5, 10… that is not below the value; sizes in bytes step in powers of two.
function ceiling(value, binary) {
	if (!(value > 0)) return 1;
	if (binary) return 2 ** Math.ceil(Math.log2(value));
	const unit = 10 ** Math.floor(Math.log10(value));
	return [1, 2, 5, 10].map(n => n * unit).find(limit => limit >= value * (1 - 1e-9));
}

export class Chart {
	#read = html("output");
	#svg = svg("svg", { role: "img" });
	#series = null;
	#name;
	#hint;
	#format;
	#binary;
	#point = null;
	#moved;

	// moved is told of the time under the pointer, null when it has left.
	constructor({ name, hint, title, format, binary = false }, moved) {
		this.#name = title;
		this.#hint = hint;
		this.#format = format;
		this.#binary = binary;
		this.key = name;
		this.element = html("article", { class: "chart", title: hint }, html("h2", {}, title), this.#read, this.#svg);
		this.#moved = moved;
		this.#svg.addEventListener("pointermove", event => this.#pointed(event));
		this.#svg.addEventListener("pointerleave", () => moved(null));
	}

	// show draws the values at the times, in milliseconds; the axis is as long as span, also if there is less to show.
	show(times, values, span) {
		this.#series = { times, values, span };
		this.#draw();
	}

	// point marks the values nearest to a time, null for the last.
	point(time) {
		this.#point = time;
		this.#draw();
	}

	#pointed(event) {
		if (!this.#series?.times.length) return;
		const box = this.#svg.getBoundingClientRect();
		const end = this.#series.times.at(-1);
		this.#moved(end - (1 - (event.clientX - box.left) / box.width) * this.#series.span);
	}

	#draw() {
		if (!this.#series) return;
		const { times, values, span } = this.#series;
		const width = this.#svg.clientWidth || 240, tall = this.#svg.clientHeight || height;
		this.#svg.setAttribute("viewBox", `0 0 ${width} ${tall}`);
		const known = values.filter(value => value !== null);
		const most = ceiling(known.reduce((a, b) => Math.max(a, b), 0), this.#binary);
		const end = times.at(-1) ?? 0;
		const x = time => width - ((end - time) / span) * width;
		const y = value => tall - bottom - (value / most) * (tall - top - bottom);
		const at = this.#chosen(times);
		const parts = [
			svg("line", { class: "grid", x1: 0, x2: width, y1: y(0), y2: y(0) }),
			svg("line", { class: "grid", x1: 0, x2: width, y1: y(most), y2: y(most) }),
			svg("text", { x: 0, y: y(most) - 3 }, known.length ? this.#format(most) : ""),
			svg("text", { x: 0, y: tall - 2 }, `−${Math.round(span / 60000)} min`),
			svg("text", { x: width, y: tall - 2, "text-anchor": "end" }, "now"),
		];
		for (const run of runs(times, values)) {
			const line = run.map(([time, value]) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`).join("L");
			parts.push(svg("path", { class: "area", d: `M${x(run[0][0])},${y(0)}L${line}L${x(run.at(-1)[0])},${y(0)}Z` }));
			parts.push(svg("path", { class: "line", d: `M${line}` }));
		}
		if (at >= 0 && values[at] !== null) {
			if (this.#point !== null) parts.push(svg("line", { class: "cursor", x1: x(times[at]), x2: x(times[at]), y1: top, y2: y(0) }));
			parts.push(svg("circle", { class: "dot", cx: Math.min(x(times[at]), width - 2), cy: y(values[at]), r: 2.5 }));
		}
		this.#svg.replaceChildren(...parts);
		this.#label(times, values, at, most);
	}

	#chosen(times) {
		if (this.#point === null) return times.length - 1;
		let best = -1;
		times.forEach((time, i) => {
			if (best < 0 || Math.abs(time - this.#point) < Math.abs(times[best] - this.#point)) best = i;
		});
		return best;
	}

	#label(times, values, at, most) {
		const value = at >= 0 ? values[at] : null;
		const text = value === null || value === undefined ? "–" : this.#format(value);
		this.#read.replaceChildren(text, ...(this.#point !== null && at >= 0 ? [html("small", {}, ` at ${clock(times[at])}`)] : []));
		this.#svg.setAttribute("aria-label", `${this.#name}: now ${text}, axis to ${this.#format(most)}. ${this.#hint}`);
	}
}

// runs splits a series where values are unknown.
function runs(times, values) {
	const found = [];
	let open = null;
	values.forEach((value, i) => {
		if (value === null) {
			open = null;
			return;
		}
		if (!open) found.push(open = []);
		open.push([times[i], value]);
	});
	return found;
}

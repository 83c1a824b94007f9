// A flame graph: each call is a box under its caller, as wide as what it and its callees have.

import { change, measured } from "./format.js";
import { byId, svg } from "./dom.js";

const row = 20, letter = 7.4;

// short leaves out the path of the package and what type arguments say.
export function short(name) {
	const plain = name.replace(/\[.*\]/s, "[…]");
	return plain.slice(plain.lastIndexOf("/") + 1);
}

// hue of a package, the same wherever it is.
function hue(name) {
	const own = short(name).split(".")[0];
	let sum = 0;
	for (const c of own) sum = (sum * 31 + c.codePointAt(0)) % 997;
	return 20 + (sum % 160);
}

// grown is the tree of what has grown: the width of a call is the sum of the growth at and below it.
function grown(node) {
	const children = (node.children ?? []).map(grown).filter(child => child.width > 0);
	const below = (node.children ?? []).reduce((sum, child) => sum + child.value - (child.base ?? 0), 0);
	const own = Math.max(0, node.value - (node.base ?? 0) - below);
	return { ...node, children, width: own + children.reduce((sum, child) => sum + child.width, 0) };
}

const full = node => ({ ...node, width: node.value, children: (node.children ?? []).map(full).filter(child => child.width > 0) });

export class Flame {
	#root = null;
	#path = [];
	#unit = "";
	#compared = false;
	#scale = 1;

	constructor() {
		byId("whole").addEventListener("click", () => this.#zoom([this.#root]));
		addEventListener("resize", () => this.#draw());
	}

	// show draws a comparison, by what there is or by what has grown.
	show({ flame, unit, total, base }, compared, growth) {
		this.#root = growth ? grown(flame) : full(flame);
		this.#root.children.sort((a, b) => b.width - a.width);
		this.#unit = unit;
		this.#compared = compared;
		this.#scale = Math.max(1, Math.abs(total - base), total / 20);
		this.#zoom([this.#root]);
	}

	#zoom(path) {
		this.#path = path;
		byId("whole").hidden = path.length < 2;
		byId("detail").textContent = path.length < 2 ? "Choose a call to enlarge it." : this.#describe(path.at(-1));
		this.#draw();
	}

	#draw() {
		if (!this.#root) return;
		const width = byId("flame").clientWidth;
		const boxes = [];
		let depth = 0;
		// The callers of what was enlarged stay above it, over the whole width.
		this.#path.slice(0, -1).forEach((node, i) => boxes.push(this.#box(node, this.#path.slice(0, i + 1), 0, width, i)));
		const place = (node, path, x, w, level) => {
			depth = Math.max(depth, level);
			boxes.push(this.#box(node, path, x, w, level));
			let at = x;
			for (const child of node.children) {
				const part = node.width > 0 ? (child.width / node.width) * w : 0;
				if (part >= 1.5) place(child, [...path, child], at, part, level + 1);
				at += part;
			}
		};
		place(this.#path.at(-1), this.#path, 0, width, this.#path.length - 1);
		const tall = (depth + 1) * row;
		byId("flame").replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${tall}`, height: tall, role: "group", "aria-label": "Flame graph; the table below has the same by function" }, ...boxes));
	}

	#box(node, path, x, w, level) {
		const letters = Math.floor((w - 8) / letter);
		const name = short(node.name);
		const label = letters < 3 ? "" : name.length > letters ? name.slice(0, letters - 1) + "…" : name;
		const describe = () => { byId("detail").textContent = this.#describe(node); };
		const choose = () => this.#zoom(path);
		return svg("g", {
			tabindex: w > 24 ? 0 : -1, role: "button", "aria-label": this.#describe(node), onclick: choose, onmouseenter: describe, onfocus: describe,
			onkeydown: event => {
				if (event.key !== "Enter" && event.key !== " ") return;
				event.preventDefault();
				choose();
			},
		},
		svg("title", {}, this.#describe(node)),
		svg("rect", { x, y: level * row, width: Math.max(w, 0.5), height: row, fill: this.#colour(node) }),
		label && svg("text", { x: x + 4, y: level * row + 14 }, label));
	}

	#colour(node) {
		if (!this.#compared) return `hsl(${hue(node.name)} 62% 74%)`;
		const share = Math.max(-1, Math.min(1, (node.value - (node.base ?? 0)) / this.#scale));
		if (Math.abs(share) < 0.005) return "hsl(220 8% 80%)";
		return `hsl(${share > 0 ? 8 : 150} ${Math.round(30 + 55 * Math.abs(share))}% ${Math.round(82 - 14 * Math.abs(share))}%)`;
	}

	#describe(node) {
		const value = measured(node.value, this.#unit);
		const part = this.#root.value > 0 ? `, ${(100 * node.value / this.#root.value).toFixed(1)}% of all` : "";
		const difference = this.#compared ? `, ${change(node.value - (node.base ?? 0), this.#unit)} since the earlier snapshot` : "";
		return `${node.name}: ${value}${part}${difference}`;
	}
}

// Snapshots of profiles: taking, listing, showing and comparing them.

import { bytes, change, clock, count, measured } from "./format.js";
import { byId, html } from "./dom.js";
import { Flame } from "./flame.js";

const flame = new Flame();
let listed = [];
let shown = null; // what the result is of: {of, base, comparison}
let order = null; // the column that the table is sorted by
let all = false; // whether the table shows every function, not just the first
const few = 25;

async function ask(address, options) {
	const response = await fetch(address, options);
	if (!response.ok) throw new Error((await response.text()).trim());
	return response.json();
}

function say(text, bad = false) {
	byId("message").textContent = text;
	byId("message").classList.toggle("bad", bad);
}

// attempt runs what a button does and tells what went wrong.
async function attempt(button, text, action) {
	button.disabled = true;
	say(text);
	try {
		await action();
		say("");
	} catch (error) {
		say(error.message, true);
	} finally {
		button.disabled = false;
	}
}

async function take(button) {
	const kind = button.dataset.kind;
	const timed = button.closest(".timed") !== null;
	const seconds = timed ? `&seconds=${encodeURIComponent(byId("seconds").value)}` : "";
	await attempt(button, timed ? `Taking a ${kind} profile for ${byId("seconds").value} s…` : `Taking a ${kind} profile…`, async () => {
		const taken = await ask(`/dashboard/snapshots?kind=${kind}${seconds}`, { method: "POST" });
		await list();
		if (timed) await show(taken.id, null);
	});
}

async function list() {
	listed = await ask("/dashboard/snapshots");
	byId("snapshots").hidden = listed.length === 0;
	byId("snapshots").tBodies[0].replaceChildren(...listed.toReversed().map(line));
}

const named = s => `#${s.id} ${s.kind}${s.seconds ? `, ${s.seconds} s` : ""}`;

function line(s) {
	const earlier = listed.filter(other => other.kind === s.kind && other.id < s.id);
	const choice = html("select", { "aria-label": `Compare ${named(s)} with` }, ...earlier.toReversed().map(other => html("option", { value: other.id }, `#${other.id} of ${clock(other.time)}`)));
	return html("tr", {},
		html("td", {}, named(s)),
		html("td", {}, clock(s.time)),
		html("td", { class: "number" }, count(s.streams)),
		html("td", { class: earlier.length ? undefined : "none" }, earlier.length
			? html("div", { class: "tools" }, choice, html("button", { type: "button", onclick: event => attempt(event.target, "Comparing…", () => show(s.id, Number(choice.value))) }, "Compare"))
			: "–"),
		html("td", {}, html("div", { class: "tools" },
			html("button", { type: "button", onclick: event => attempt(event.target, "Reading…", () => show(s.id, null)) }, "Show"),
			html("a", { href: `/dashboard/snapshot?id=${s.id}` }, `Download (${bytes(s.bytes)})`))));
}

async function show(of, base, measure = "") {
	const query = new URLSearchParams({ of });
	if (base !== null) query.set("base", base);
	if (measure) query.set("measure", measure);
	const comparison = await ask(`/dashboard/compare?${query}`);
	shown = { of, base, comparison };
	order = null;
	all = false;
	const compared = base !== null;
	const label = id => named(listed.find(s => s.id === id) ?? { id, kind: comparison.kind });
	byId("result-title").textContent = compared ? `${label(of)} against #${base}` : label(of);
	byId("measure").replaceChildren(...comparison.measures.map(name => html("option", { selected: name === comparison.measure }, name)));
	byId("growth-label").hidden = !compared;
	byId("result").hidden = false;
	draw();
	byId("result-title").scrollIntoView({ block: "nearest" });
}

function draw() {
	const { comparison: c, base } = shown;
	const compared = base !== null;
	byId("summary").textContent = compared
		? `${measured(c.base, c.unit)} before, ${measured(c.total, c.unit)} after: ${change(c.total - c.base, c.unit)}. What has grown is red, what has shrunk green.`
		: `${measured(c.total, c.unit)} in all.`;
	flame.show(c, compared, compared && byId("growth").checked);
	table(c, compared);
}

// columns of the table: a title, the number, and whether it is a difference.
const columns = compared => [
	["Flat", f => f.flat, false],
	["Cumulative", f => f.cum, false],
	...(compared ? [["Flat Δ", f => f.flat - f.flatBase, true], ["Cumulative Δ", f => f.cum - f.cumBase, true]] : []),
];

function table(c, compared) {
	const shape = columns(compared);
	order ??= compared ? 2 : 0;
	const value = shape[order][1];
	const sorted = [...c.functions].sort((a, b) => Math.abs(value(b)) - Math.abs(value(a)) || b.flat - a.flat || b.cum - a.cum);
	const rows = all ? sorted : sorted.slice(0, few);
	byId("left").textContent = all && c.left > 0 ? `${count(c.left)} more functions have less.` : "";
	byId("all").hidden = all || sorted.length <= few;
	byId("all").textContent = `Show all ${sorted.length} functions`;
	byId("functions").classList.toggle("compared", compared);
	byId("functions").tHead.rows[0].replaceChildren(
		html("th", { scope: "col" }, "Function"),
		...shape.map(([title, , difference], i) => html("th", { scope: "col", class: difference ? "number" : "number level", "aria-sort": i === order ? "descending" : undefined },
			html("button", { type: "button", onclick: () => { order = i; table(c, compared); } }, title + (i === order ? " ▾" : "")))));
	byId("functions").tBodies[0].replaceChildren(...rows.map(f => html("tr", {},
		html("td", { class: "name" }, f.name, html("small", {}, f.where)),
		...shape.map(([, number, difference]) => {
			const n = number(f);
			const sign = difference && n !== 0 ? (n > 0 ? " more" : " less") : "";
			return html("td", { class: (difference ? "number" : "number level") + sign }, difference ? change(n, c.unit) : measured(n, c.unit));
		}))));
}

export function start() {
	for (const button of document.querySelectorAll("button[data-kind]")) button.addEventListener("click", () => take(button));
	byId("measure").addEventListener("change", event => attempt(event.target, "Reading…", () => show(shown.of, shown.base, event.target.value)));
	byId("growth").addEventListener("change", draw);
	byId("all").addEventListener("click", () => { all = true; draw(); });
	list().catch(error => say(error.message, true));
}

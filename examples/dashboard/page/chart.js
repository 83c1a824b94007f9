// A line chart of SVG, drawn by hand. Time runs to the right; a missing second leaves a hole.
import { make } from "/shared/page.js";

const HEIGHT = 176;
const LEFT = 40;
const RIGHT = 4;
const TOP = 10;
const BOTTOM = 20;
// Two samples further apart than this have something missing between them.
const HOLE = 2500;

function draw(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// The next number that people like above the largest value: 1, 2 or 5 times a power of ten.
export function nice(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 0.001)));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= value);
}

export class Chart {
  element;
  #svg = draw("svg", { role: "img" });
  #values;
  #title;
  #series;
  #span;
  #samples = [];
  #pointed = null;

  // series: {key, label, unit} of each line, two at most; span: milliseconds from left to right.
  constructor(title, series, span) {
    this.#title = title;
    this.#series = series;
    this.#span = span;
    this.#values = series.map(({ label, unit }, i) => make("span", { className: ["first", "second"][i] },
      make("i"), make("b", { textContent: "–" }), make("small", { textContent: ` ${unit}${label ? `, ${label}` : ""}` })));
    this.element = make("section", { className: "card chart" },
      make("header", {}, make("h2", { textContent: title }), make("div", { className: "values" }, ...this.#values)), this.#svg);
    this.#svg.addEventListener("pointermove", (event) => {
      this.#pointed = event.offsetX;
      this.show(this.#samples);
    });
    this.#svg.addEventListener("pointerleave", () => {
      this.#pointed = null;
      this.show(this.#samples);
    });
    new ResizeObserver(() => this.show(this.#samples)).observe(this.#svg);
  }

  show(samples) {
    this.#samples = samples;
    const newest = samples.at(-1);
    const width = this.#svg.clientWidth;
    if (!newest || width === 0) return;
    const begin = newest.at - this.#span;
    const top = nice(Math.max(...samples.flatMap((sample) => this.#series.map(({ key }) => sample[key]))));
    const x = (at) => LEFT + ((at - begin) / this.#span) * (width - LEFT - RIGHT);
    const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
    const parts = [0, 0.5, 1].flatMap((part) => [
      draw("line", { x1: LEFT, x2: width - RIGHT, y1: y(top * part), y2: y(top * part) }),
      draw("text", { x: LEFT - 6, y: y(top * part) + 4, "text-anchor": "end" }, (top * part).toLocaleString("en")),
    ]);
    parts.push(draw("text", { x: LEFT, y: HEIGHT - 4 }, `${this.#span / 60_000} min ago`), draw("text", { x: width - RIGHT, y: HEIGHT - 4, "text-anchor": "end" }, "now"));
    this.#series.forEach(({ key }, i) => {
      let last = -Infinity;
      const path = samples.filter(({ at }) => at >= begin).map((sample) => {
        const move = sample.at - last > HOLE ? "M" : "L";
        last = sample.at;
        return `${move}${x(sample.at).toFixed(1)} ${y(sample[key]).toFixed(1)}`;
      }).join("");
      parts.push(draw("path", { d: path, class: ["first", "second"][i] }));
    });
    let shown = newest;
    if (this.#pointed !== null) {
      const at = begin + ((this.#pointed - LEFT) / (width - LEFT - RIGHT)) * this.#span;
      shown = samples.reduce((best, sample) => (Math.abs(sample.at - at) < Math.abs(best.at - at) ? sample : best));
      parts.push(draw("line", { class: "cursor", x1: x(shown.at), x2: x(shown.at), y1: TOP, y2: HEIGHT - BOTTOM }));
    }
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.#svg.setAttribute("aria-label", `${this.#title}: ${this.#series.map(({ key, label, unit }) => `${label ?? ""} ${newest[key]} ${unit}`).join(", ")} now`);
    this.#svg.replaceChildren(...parts);
    this.#series.forEach(({ key }, i) => { this.#values[i].querySelector("b").textContent = shown[key].toLocaleString("en"); });
  }
}

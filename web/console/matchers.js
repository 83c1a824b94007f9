// The list of matchers in a form.
import { all, one } from "./dom.js";

const PLACEHOLDERS = {
  match: "https://example.com/books/1, or * for every topic",
  match_urlpattern: "https://example.com/books/:id",
  topic: "https://example.com/books/{id}, or *",
};

export class Matchers {
  #list;

  constructor(form, first) {
    this.#list = one(".matchers", form);
    one("button.add", form).addEventListener("click", () => this.add({ kind: this.value.at(-1).kind, pattern: "" }, true));
    this.set([first]);
  }

  get value() {
    return all(".matcher", this.#list).map((row) => ({ kind: one("select", row).value, pattern: one("input", row).value }));
  }

  set(matchers) {
    this.#list.replaceChildren();
    matchers.forEach((matcher) => this.add(matcher));
  }

  add({ kind, pattern }, focus = false) {
    const row = one("#matcher-template").content.cloneNode(true).firstElementChild;
    const [select, input, remove] = [one("select", row), one("input", row), one("button", row)];
    select.value = kind;
    input.value = pattern;
    const hint = () => { input.placeholder = PLACEHOLDERS[select.value]; };
    hint();
    select.addEventListener("change", hint);
    remove.addEventListener("click", () => {
      row.remove();
      this.#update();
      one("select", this.#list)?.focus();
    });
    this.#list.append(row);
    this.#update();
    if (focus) input.focus();
  }

  // A form has one matcher at least.
  #update() {
    const rows = all(".matcher", this.#list);
    rows.forEach((row) => { one("button", row).hidden = rows.length === 1; });
  }
}

// Small helpers to find and make elements. Text always goes in as text, never as markup.

export const one = (selector, root = document) => root.querySelector(selector);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// make returns a new element. Properties whose names start with "data-", "aria-" or "role" become attributes.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(data-|aria-|role$)/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const TIMES = /(\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z| UTC))/;

// lines returns a text as nodes in which no time is broken into two lines.
export const lines = (text) => text.split(TIMES).map((part, i) => (i % 2 === 1 ? make("span", { className: "whole", textContent: part }) : part));

// say shows one line of text in a note; kind is "good", "bad" or "".
export function say(note, text, kind = "") {
  note.hidden = text === "";
  note.className = `note ${kind}`;
  note.replaceChildren(...lines(text));
}

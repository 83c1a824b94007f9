// The views, as tabs (WAI-ARIA Authoring Practices, "Tabs").
import { all, one } from "./dom.js";

const tabs = all('[role="tab"]');
const openers = new Map();

// onOpen has a function called each time that a view is shown.
export const onOpen = (name, opener) => openers.set(name, opener);

export function openTab(name, focus = false) {
  for (const tab of tabs) {
    const chosen = tab.getAttribute("aria-controls") === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    one(`#${tab.getAttribute("aria-controls")}`).hidden = !chosen;
    if (chosen) {
      if (focus) tab.focus();
      tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }
  openers.get(name)?.();
}

export function startTabs() {
  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener("click", () => openTab(tab.getAttribute("aria-controls")));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: -1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      openTab(tabs.at(to % tabs.length).getAttribute("aria-controls"), true);
    });
  }
}

// Wires the views together.
import { load } from "./credentials.js";
import { one } from "./dom.js";
import { everything, hubURL, learn } from "./hub.js";
import { startExplain } from "./explain.js";
import { startHistory, useHistoryMatchers } from "./history.js";
import { startLive, useMatchers } from "./live.js";
import { startPublish } from "./publish.js";
import { startSubscriptions } from "./subscriptions.js";
import { onOpen, openTab, startTabs } from "./tabs.js";
import { startTopics } from "./topics.js";
import { showTokens, startTokens } from "./tokens.js";
import { about, startWhy } from "./why.js";

const why = ["Why not there?", (event) => { openTab("why"); about(event.id); }];

load();
// The address with another token may be opened in the same tab, which does not load the page anew.
addEventListener("hashchange", load);
startTabs();
startLive([why]);
startPublish();
startHistory([why]);
startSubscriptions();
startTopics();
startTokens();
startExplain();
startWhy();
onOpen("tokens", showTokens);
one("#token-summary").addEventListener("click", () => openTab("tokens", true));

const facts = one("#hub-facts");
try {
  const hub = await learn();
  if (!hub.v1) {
    useMatchers([{ kind: "topic", pattern: "https://example.com/books/{id}" }]);
    useHistoryMatchers(everything());
  }
  const dialects = hub.v1 ? "Mercure 1.0" : "Mercure 0.x alone";
  const api = hub.subscriptions === null ? "" : ` · subscription API ${hub.subscriptions ? "on" : "off"}`;
  facts.textContent = `${hubURL} · ${dialects}${api}`;
  showTokens();
} catch (error) {
  facts.textContent = `${hubURL} · no answer: ${error.message}`;
}
document.documentElement.dataset.ready = "true";

// Publishing an update.
import { copy } from "./clipboard.js";
import { token } from "./credentials.js";
import { publishCommand } from "./curl.js";
import { one, say } from "./dom.js";
import { hubURL, publish, refusal } from "./hub.js";

const form = one("#publish-form");
const answer = one("[data-answer]", form);

// fields returns the update as pairs of name and value. What is empty is left out, but for data.
function fields() {
  const { topics, data, private: secret, id, type, retry } = form.elements;
  const pairs = topics.value.split("\n").map((line) => line.trim()).filter(Boolean).map((topic) => ["topic", topic]);
  pairs.push(["data", data.value]);
  if (secret.checked) pairs.push(["private", "on"]);
  for (const field of [id, type, retry]) {
    if (field.value.trim() !== "") pairs.push([field.name, field.value.trim()]);
  }
  return pairs;
}

async function send() {
  const button = one('[type="submit"]', form);
  button.disabled = true;
  try {
    const response = await publish(fields(), token("publisher"));
    if (response.ok) say(answer, `Stored as ${await response.text()}`, "good");
    else say(answer, (await refusal(response)).text, "bad");
  } catch (error) {
    say(answer, `The hub did not answer: ${error.message}`, "bad");
  } finally {
    button.disabled = false;
  }
}

export function startPublish() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  form.elements.curl.addEventListener("click", (event) => copy(publishCommand(hubURL, fields(), token("publisher")), event.target));
}

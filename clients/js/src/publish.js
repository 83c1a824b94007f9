import { refusal } from "./error.js";
import { Tokens } from "./token.js";

/**
 * Publishes an update and returns the id that the hub stored it under. A request that fails is not repeated, as the hub may
 * have taken it; only a token that the hub refused is replaced once.
 * @param {import("../index.d.ts").PublishOptions} options
 */
export async function publish(options) {
  const form = new URLSearchParams();
  for (const topic of [options.topic].flat()) form.append("topic", topic);
  form.append("data", options.data ?? "");
  // The field counts by its presence, whatever its value.
  if (options.private) form.append("private", "on");
  if (options.id) form.append("id", options.id);
  if (options.type) form.append("type", options.type);
  if (options.retry !== undefined) form.append("retry", String(options.retry));
  const tokens = new Tokens(options.token);
  for (let refused = false; ; refused = true) {
    const token = await tokens.get({ refused });
    const response = await fetch(options.hub, {
      method: "POST",
      body: form,
      headers: token === "" ? {} : { Authorization: `Bearer ${token}` },
      credentials: options.credentials ?? "same-origin",
      signal: options.signal ?? null,
    });
    if (response.ok) return (await response.text()).trim();
    const error = await refusal(response);
    if (response.status !== 401 || refused || !tokens.renewable) throw error;
  }
}

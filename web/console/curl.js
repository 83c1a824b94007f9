// Commands for a POSIX shell that do what the page does.

// quote makes one word of a text, whatever it holds.
export const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

const bearer = (token) => (token ? ` \\\n  -H ${quote(`Authorization: Bearer ${token}`)}` : "");

export function subscribeCommand(hub, { matchers, token, cursor }) {
  const fields = matchers.map(({ kind, pattern }) => ` \\\n  --data-urlencode ${quote(`${kind}=${pattern}`)}`).join("");
  const resume = cursor ? ` \\\n  -H ${quote(`Last-Event-ID: ${cursor}`)}` : "";
  return `curl -N -G ${quote(hub)}${fields}${resume}${bearer(token)}`;
}

export function publishCommand(hub, fields, token) {
  const data = fields.map(([name, value]) => ` \\\n  --data-urlencode ${quote(`${name}=${value}`)}`).join("");
  return `curl ${quote(hub)}${data}${bearer(token)}`;
}

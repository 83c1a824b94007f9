import assert from "node:assert/strict";
import test from "node:test";
import { publishCommand, quote, subscribeCommand } from "./console/curl.js";
import { diagnose } from "./console/diagnosis.js";
import { Parser } from "./console/sse.js";
import { plural, pretty, span } from "./console/text.js";
import { decode, read } from "./console/token.js";

// HTML Standard, section 9.2.6.
test("events are read as an EventSource reads them", () => {
  const cases = [
    ["one line", "data: a\n\n", [{ id: "", type: "message", data: "a" }]],
    ["several lines", "data: a\ndata:b\ndata\n\n", [{ id: "", type: "message", data: "a\nb\n" }]],
    ["every field", "id: 1\nevent: t\nretry: 20\ndata: a\n\n", [{ id: "1", type: "t", data: "a" }]],
    ["every line break", "data: a\r\n\r\ndata: b\r\rdata: c\n\n", ["a", "b", "c"].map((data) => ({ id: "", type: "message", data }))],
    ["comments and unknown fields", ":\n: x\nfoo: bar\ndata: a\n\n", [{ id: "", type: "message", data: "a" }]],
    ["no data, no event", "event: t\n\ndata: a\n\n", [{ id: "", type: "message", data: "a" }]],
    ["an id stays", "id: 1\ndata: a\n\ndata: b\n\n", [{ id: "1", type: "message", data: "a" }, { id: "1", type: "message", data: "b" }]],
    ["an id with NUL is ignored", "id: 1\0\ndata: a\n\n", [{ id: "", type: "message", data: "a" }]],
    ["an incomplete event is none", "data: a\n", []],
    ["a byte order mark", "\ufeffdata: a\n\n", [{ id: "", type: "message", data: "a" }]],
  ];
  for (const [name, text, want] of cases) {
    assert.deepEqual(new Parser().push(text), want, name);
    const parser = new Parser();
    assert.deepEqual([...text].flatMap((c) => parser.push(c)).concat(parser.push("")), want, `${name}, a character at a time`);
  }
});

test("the cursor moves with complete events alone", () => {
  const parser = new Parser("0");
  parser.push("id: 1\ndata: a\n");
  assert.equal(parser.lastEventId, "0");
  parser.push("\n");
  assert.equal(parser.lastEventId, "1");
  parser.push("retry: 7\nretry: x\n\n");
  assert.equal(parser.retry, 7);
});

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const token = (header, claims) => `${encode(header)}.${encode(claims)}.c2ln`;

test("a 0.x token", () => {
  const parts = decode(token({ alg: "HS256", typ: "JWT" }, { exp: 50, mercure: { publish: ["*"], subscribe: ["https://é/{id}", "a", { match: "/:b", match_type: "urlpattern" }] } }));
  const said = read(parts, 100, "https://hub/");
  assert.equal(said.dialect, "0.x");
  assert.deepEqual(said.grants.publish, [{ pattern: "*", kind: "every topic" }]);
  assert.deepEqual(said.grants.subscribe.map(({ pattern, kind }) => `${pattern} ${kind}`), ["https://é/{id} URI template", "a exact", "/:b URL pattern"]);
  assert.deepEqual(said.problems, ["It has expired."]);
});

test("a 1.0 token", () => {
  const claims = {
    iss: "i", exp: 200, aud: ["https://other/"], sub: "s", client_id: "c", iat: 1,
    authorization_details: [
      { type: "https://mercure.rocks/authorization-detail", actions: ["subscribe"], topics: [{ match: "a{b}" }] },
      { type: "of another kind", actions: ["publish"], topics: [{ match: "x" }] },
    ],
    mercure: { publish: ["*"] },
  };
  const said = read(decode(token({ alg: "ES256", typ: "application/AT+JWT" }, claims)), 100, "https://hub/");
  assert.equal(said.dialect, "1.0");
  assert.deepEqual(said.grants, { publish: [], subscribe: [{ pattern: "a{b}", kind: "exact" }] });
  assert.equal(said.problems.length, 2);
  assert.match(said.problems.join(" "), /"jti" is missing.*It is for https:\/\/other\/, and this hub is https:\/\/hub\//);
});

test("what is no token for Mercure", () => {
  assert.throws(() => decode("a.b"), /three parts/);
  assert.throws(() => decode("!.!.!"), /header .* cannot be read/);
  assert.throws(() => decode(`${encode([1])}.e30.`), /no JSON object/);
  const said = read(decode(token({ alg: "none" }, { nbf: 200 })), 100);
  assert.equal(said.dialect, null);
  assert.equal(said.problems.length, 3);
});

test("commands survive a shell", () => {
  assert.equal(quote("it's"), `'it'\\''s'`);
  assert.equal(subscribeCommand("http://h", { matchers: [{ kind: "topic", pattern: "a&b" }], token: "t", cursor: "c" }),
    `curl -N -G 'http://h' \\\n  --data-urlencode 'topic=a&b' \\\n  -H 'Last-Event-ID: c' \\\n  -H 'Authorization: Bearer t'`);
  assert.equal(publishCommand("http://h", [["topic", "a"], ["data", "x y"]], ""), `curl 'http://h' \\\n  --data-urlencode 'topic=a' \\\n  --data-urlencode 'data=x y'`);
});

test("words", () => {
  assert.equal(span(0), "0 seconds");
  assert.equal(span(61), "1 minute 1 second");
  assert.equal(span(86400 * 2 + 5), "2 days");
  assert.equal(plural(1, "event"), "1 event");
  assert.equal(plural(1234, "event"), "1,234 events");
  assert.equal(pretty('{"a":1}'), '{\n  "a": 1\n}');
  assert.equal(pretty("a"), null);
});

// A hub of a few updates: what a stream gets is what follows its cursor, is selected and is public or granted.
const log = [
  { id: "1", topic: "a" }, { id: "2", topic: "b", secret: true }, { id: "3", topic: "b" }, { id: "4", topic: "a", secret: true }, { id: "5", topic: "a" },
];
const tools = {
  EARLIEST: "earliest", everything: [{ pattern: "*" }],
  read: async ({ matchers, token: grant, cursor, count, until = () => false, onEvent = () => {} }) => {
    if (grant === "bad") throw new Error("401");
    const at = log.findIndex(({ id }) => id === cursor);
    const result = { began: at < 0 ? "earliest" : cursor, end: "quiet", count: 0 };
    if (count === 0) return result;
    for (const event of log.slice(at + 1)) {
      if (!matchers.some(({ pattern }) => pattern === "*" || pattern === event.topic)) continue;
      if (event.secret && grant !== "*" && grant !== event.topic) continue;
      result.count++;
      onEvent(event);
      if (until(event)) return { ...result, end: "found" };
      if (result.count >= count) return { ...result, end: "full" };
    }
    return result;
  },
};

test("why a stream did not get an update", async () => {
  const cases = [
    ["retained no more", { id: "0", pattern: "a" }, /does not retain/],
    ["no cursor is the id of an update", { id: "earliest", pattern: "a" }, /does not retain/],
    ["no matcher", { id: "3", pattern: "a" }, /No matcher .*Compare/],
    ["no matcher, at the end", { id: "5", pattern: "b" }, /No matcher/],
    ["no grant", { id: "4", pattern: "a" }, /private, and the token of the stream grants none.*cannot be told/],
    ["no grant, seen by another token", { id: "4", pattern: "a", inspector: "*" }, /private, and the token of the stream grants none of its topics\.$/],
    ["neither", { id: "2", pattern: "a", inspector: "*" }, /No matcher .*Nor does the token grant/],
    ["neither token", { id: "2", pattern: "b", inspector: "a" }, /neither token/],
    ["no cursor", { id: "1", pattern: "a" }, /gets this update.*not connected/],
    ["before the cursor", { id: "1", pattern: "a", cursor: "3" }, /older than/],
    ["after the cursor", { id: "4", pattern: "a", token: "a", cursor: "3" }, /comes after/],
    ["after a cursor that it may not read", { id: "3", pattern: "b", cursor: "2" }, /comes after/],
    ["at the cursor", { id: "1", pattern: "a", cursor: "1" }, /is this event/],
    ["the cursor is lost", { id: "1", pattern: "a", cursor: "gone" }, /no longer has the stream's cursor/],
  ];
  for (const [name, { pattern, ...of }, want] of cases) {
    const steps = [];
    const answer = await diagnose({ matchers: [{ pattern }], token: "", inspector: "", cursor: "", ...of }, tools, (ok, text) => steps.push(text));
    assert.match(answer, want, name);
    assert.ok(steps.length > 1, name);
  }
  await assert.rejects(diagnose({ matchers: [], token: "bad", id: "1" }, tools, () => {}), /401/);
});

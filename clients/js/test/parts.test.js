import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff } from "../src/backoff.js";
import { discover, parseLinks } from "../src/discovery.js";
import { retryAfter } from "../src/error.js";
import { History } from "../src/history.js";
import { fromHeader, toHeader } from "../src/request.js";
import { expiry, Tokens } from "../src/token.js";

const jwt = (claims) => `x.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;

test("backoff: doubles, has a bound, is spread, and is never sooner than the hub asked", () => {
  const lowest = () => 0;
  assert.deepEqual([0, 1, 2, 10, 2000].map((n) => backoff(n, null, 0, lowest)), [1000, 2000, 4000, 30_000, 30_000]);
  assert.equal(backoff(0, null, 0, () => 1), 1500);
  assert.equal(backoff(0, 10, 0, lowest), 10);
  assert.equal(backoff(5, 120_000, 0, lowest), 120_000);
  assert.equal(backoff(0, 10, 5000, lowest), 5000);
});

test("Retry-After is seconds or a date", () => {
  assert.equal(retryAfter("3"), 3000);
  assert.equal(retryAfter(new Date(60_000).toUTCString(), 50_000), 10_000);
  for (const value of [null, "", "soon", new Date(0).toUTCString()]) assert.equal(retryAfter(value), 0);
});

test("expiry is read from tokens that have one", () => {
  assert.equal(expiry(jwt({ exp: 100 })), 100_000);
  assert.equal(expiry(jwt({ exp: 100, sub: "é~~~???" })), 100_000);
  for (const token of ["", "opaque", "a.b.c", jwt({}), jwt({ exp: "1" }), jwt(null)]) assert.equal(expiry(token), null);
});

test("tokens are kept until they end, and replaced before", async () => {
  let asked = 0;
  const life = (seconds) => jwt({ exp: Math.floor(Date.now() / 1000) + seconds, n: asked++ });
  const tokens = new Tokens(() => life(1000));
  const first = await tokens.get();
  assert.equal(await tokens.get(), first);
  assert.notEqual(await tokens.get({ renew: true }), first);
  assert.notEqual(await tokens.get({ refused: true }), first);
  assert.equal(asked, 3);
  const delay = tokens.delay();
  assert.ok(delay > 900_000 && delay < 975_000, `${delay}`);
});

test("a new token that has ended already says that the clock is wrong: no timer", async () => {
  const tokens = new Tokens(() => jwt({ exp: 100 }));
  const first = await tokens.get();
  assert.equal(tokens.delay(), null);
  assert.equal(await tokens.get(), first);
});

test("no timer overflows, and a fixed token is not renewed", async () => {
  const tokens = new Tokens(() => jwt({ exp: 1e11 }));
  await tokens.get();
  assert.ok(tokens.delay() <= 2_147_483_647);
  assert.equal(new Tokens(jwt({ exp: 1e11 })).delay(), null);
});

test("ids are UTF-8 in headers", () => {
  assert.equal(fromHeader(toHeader("urn:é漢🎉")), "urn:é漢🎉");
  assert.doesNotThrow(() => new Headers({ a: toHeader("é漢") }));
});

test("Link headers (RFC 8288)", () => {
  assert.deepEqual(parseLinks(`<https://a.example/x,y;z>; rel="mercure other"; last-event-id="a \\"b\\", c", </b>;REL=self ; q`), [
    { target: "https://a.example/x,y;z", parameters: { rel: "mercure other", "last-event-id": 'a "b", c' } },
    { target: "/b", parameters: { rel: "self", q: "" } },
  ]);
  assert.deepEqual(parseLinks("nothing"), []);
});

const response = (link) => ({ url: "https://example.com/books/1", headers: new Headers({ Link: link, "Content-Type": "application/json" }) });

test("discovery takes the first hub that is trusted", () => {
  const link = `<https://evil.example/hub>; rel=mercure, </.well-known/mercure>; rel="mercure"; last-event-id="urn:1"; type=book, </books/1.json>; rel=self`;
  assert.deepEqual(discover(response(link)), {
    hub: "https://example.com/.well-known/mercure", topic: "https://example.com/books/1.json",
    lastEventID: "urn:1", contentType: "application/json", type: "book",
  });
  assert.equal(discover(response("<https://hub.example/>; rel=mercure")), null);
  assert.equal(discover(response("<https://hub.example/>; rel=mercure"), { origins: ["https://hub.example"] })?.hub, "https://hub.example/");
  assert.equal(discover(response("</x>; rel=self")), null);
});

test("history of a shared stream", () => {
  const history = new History("0");
  const add = (id, data = "") => history.add({ id: String(id), type: "message", data });
  const ids = (cursor) => history.after(cursor)?.map(({ id }) => id) ?? null;
  assert.deepEqual(ids("0"), []);
  [1, 2, 3].forEach((id) => add(id));
  assert.deepEqual(ids("0"), ["1", "2", "3"]);
  assert.deepEqual(ids("2"), ["3"]);
  assert.deepEqual([ids(""), ids("x")], [null, null]);
  for (let id = 4; id <= 300; id++) add(id);
  assert.deepEqual([ids("0"), ids("43"), ids("44").length], [null, null, 256]);
  add(301, "x".repeat(2 << 20));
  assert.deepEqual([ids("300"), ids("301")], [null, []]);
  history.cut();
  assert.deepEqual([ids("301"), ids("")], [null, null]);
});

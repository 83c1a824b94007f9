// The stream against a hub of the test's own, which answers each request as the test wants. Nothing here waits for a clock but
// for what happens; times are those that the client itself takes.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { describe, test } from "node:test";
import { HubError, publish, subscribe } from "../index.js";
import { Registry } from "../src/group.js";
import { streamRequest } from "../src/request.js";
import { Stream } from "../src/stream.js";

const jwt = (claims) => `x.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;

// A hub whose requests wait until the test answers them.
async function hub(t) {
  const waiting = [];
  const wanted = [];
  const server = createServer((request, response) => {
    const exchange = { request, response, url: new URL(request.url, "http://hub"), ended: once(response, "close") };
    exchange.body = new Promise((resolve) => {
      const pieces = [];
      request.on("data", (piece) => pieces.push(piece)).on("end", () => resolve(String(Buffer.concat(pieces))));
    });
    if (wanted.length > 0) wanted.shift()(exchange);
    else waiting.push(exchange);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/.well-known/mercure`,
    next: () => (waiting.length > 0 ? Promise.resolve(waiting.shift()) : new Promise((resolve) => wanted.push(resolve))),
    idle: () => waiting.length === 0,
  };
}

// Answers with a stream.
function open({ request, response }, text = "", headers = {}) {
  const asked = request.headers["last-event-id"];
  const cursor = asked === undefined ? {} : { "Mercure-Last-Event-ID": asked };
  response.writeHead(200, { "Content-Type": "text/event-stream", ...cursor, ...headers });
  response.write(`:\n${text}`);
  return response;
}

const event = (id) => `id: ${id}\ndata: ${id}\n\n`;

// Subscribes and keeps what happens, in order; until(n) waits for the nth thing.
function listen(t, options) {
  const log = [];
  let look = () => {};
  const note = (kind) => (value) => {
    log.push(`${kind} ${value.data ?? value.message ?? (value.requested === undefined ? value : `${value.requested}>${value.resumedFrom}`)}`);
    look();
  };
  const subscription = subscribe({ match: "a", onEvent: note("event"), onGap: note("gap"), onError: note("error"), ...options });
  subscription.closed.catch(() => {});
  t.after(() => subscription.close());
  const until = (...want) => new Promise((resolve) => {
    look = () => log.length >= want.length && resolve();
    look();
  }).then(() => assert.deepEqual(log.splice(0, want.length), want));
  return { subscription, until, log };
}

// The tests wait for the client's own times, so they do it together.
describe("stream", { concurrency: true }, () => {
test("the request has the matchers of both dialects, and the first cursor in the query", async (t) => {
  const server = await hub(t);
  const { until } = listen(t, { hub: `${server.url}?x=1`, match: ["a", "b&c"], matchURLPattern: "/:id", topic: "/{id}", lastEventID: "urn:é", token: "T" });
  const first = await server.next();
  assert.equal(first.url.search, "?x=1&match=a&match=b%26c&match_urlpattern=%2F%3Aid&topic=%2F%7Bid%7D&lastEventID=urn%3A%C3%A9&last_event_id=urn%3A%C3%A9");
  assert.equal(first.request.headers.authorization, "Bearer T");
  assert.equal(first.request.headers.accept, "text/event-stream");
  open(first, "retry: 1\n" + event("é2")).end();
  await until("event é2");
  const second = await server.next();
  assert.equal(Buffer.from(second.request.headers["last-event-id"], "latin1").toString(), "é2");
  assert.ok(!second.url.search.includes("vent"));
});

test("a list that no URL can hold goes by QUERY", async (t) => {
  const server = await hub(t);
  const match = Array.from({ length: 100 }, (_, i) => `https://example.com/${i}/${"x".repeat(80)}`);
  listen(t, { hub: server.url, match });
  const exchange = await server.next();
  assert.equal(exchange.request.method, "QUERY");
  assert.deepEqual(new URLSearchParams(await exchange.body).getAll("match"), match);
});

test("it resumes after the newest event, also after one without data", async (t) => {
  const server = await hub(t);
  const { until } = listen(t, { hub: server.url });
  open(await server.next(), "retry: 1\n" + event(1) + "id: 2\n\ndata: unfinished").end();
  const second = await server.next();
  assert.equal(second.request.headers["last-event-id"], "2");
  open(second, event(3)).destroy();
  const third = await server.next();
  assert.ok(["2", "3"].includes(third.request.headers["last-event-id"]));
  await until("event 1");
});

test("a refused token is replaced at once, once", async (t) => {
  const server = await hub(t);
  const asked = [];
  const { subscription, until } = listen(t, { hub: server.url, token: ({ refused }) => { asked.push(refused); return `T${asked.length}`; } });
  const refuse = async (token) => {
    const { request, response } = await server.next();
    assert.equal(request.headers.authorization, `Bearer ${token}`);
    response.writeHead(401).end("token is not valid");
  };
  await refuse("T1");
  const stream = open(await server.next(), "retry: 1\n" + event(1));
  await until("event 1");
  stream.end();
  await refuse("T2");
  await refuse("T3");
  await assert.rejects(subscription.closed, (error) => error instanceof HubError && error.status === 401 && error.final);
  assert.deepEqual(asked, [false, true, true]);
  assert.equal(subscription.state, "closed");
});

test("failing to get a token is tried again", async (t) => {
  const server = await hub(t);
  let calls = 0;
  const { until } = listen(t, { hub: server.url, token: () => { if (calls++ === 0) throw new Error("no network"); return "T"; } });
  open(await server.next(), event(1));
  await until("error no network", "event 1");
});

// The token ends while the stream is open: the successor is open before the old connection is left, and events that come on
// both are delivered once.
for (const cursor of [true, false]) {
  test(`before a token ends another connection takes over, ${cursor ? "from the cursor" : "with no cursor yet"}`, async (t) => {
    const server = await hub(t);
    let calls = 0;
    const token = () => jwt({ exp: Math.floor(Date.now() / 1000) + (calls++ === 0 ? 2 : 1000), n: calls });
    const { until, subscription } = listen(t, { hub: server.url, token });
    const first = await server.next();
    const old = open(first, cursor ? event(1) : "");
    if (cursor) await until("event 1");
    const second = await server.next();
    assert.notEqual(second.request.headers.authorization, first.request.headers.authorization);
    assert.equal(second.request.headers["last-event-id"], cursor ? "1" : undefined);
    assert.equal(subscription.state, "open");
    old.write(event(2));
    await until("event 2");
    const next = open(second, cursor ? event(2) : "");
    next.write(event(3));
    next.write(event(4));
    if (!cursor) {
      // Without a cursor only the old connection has what was on its way, so it is read for a while.
      await new Promise((resolve) => setTimeout(resolve, 200));
      old.write(event("late") + event(3));
      await until("event late");
    }
    await until("event 3", "event 4");
    await first.ended;
    assert.equal(subscription.state, "open");
    next.write(event(5));
    await until("event 5");
    assert.equal(subscription.lastEventID, "5");
  });
}

test("a successor that cannot be had leaves the old connection alone", async (t) => {
  const server = await hub(t);
  let calls = 0;
  const token = () => { if (calls++ > 0) throw new Error("backend is down"); return jwt({ exp: Math.floor(Date.now() / 1000) + 2 }); };
  const { until } = listen(t, { hub: server.url, token });
  const stream = open(await server.next());
  await until("error backend is down");
  stream.write(event(1));
  await until("event 1");
});

test("gaps: by the header, by the notice, by neither for an update of that type, and without a cursor", async (t) => {
  const server = await hub(t);
  const { until } = listen(t, { hub: server.url });
  const notice = 'event: hubd-gap\ndata: {"requested":"1","oldest":"5"}\n\n';
  open(await server.next(), "retry: 1\n").end();
  open(await server.next(), event(1)).end();
  await until("gap null>null", "event 1");
  open(await server.next(), notice + event(5), { "Mercure-Last-Event-ID": "earliest" }).end();
  await until("gap 1>earliest", "event 5");
  const third = await server.next();
  third.response.writeHead(200, { "Content-Type": "text/event-stream" });
  third.response.end(notice + "id: 6\nevent: hubd-gap\ndata: six\n\n");
  await until("gap 5>null", "event six");
  open(await server.next(), event(7), { "Mercure-Last-Event-ID": "", "Last-Event-ID": "6" }).end();
  await until("gap 6>", "event 7");
});

test("what is asked from the earliest event has no gap", async (t) => {
  const server = await hub(t);
  const { until } = listen(t, { hub: server.url, lastEventID: "earliest" });
  open(await server.next(), event(1), { "Mercure-Last-Event-ID": "0" });
  await until("event 1");
});

test("the hub's reconnection time is waited for", async (t) => {
  const server = await hub(t);
  listen(t, { hub: server.url });
  open(await server.next(), "retry: 2000\n").end();
  const before = Date.now();
  await server.next();
  assert.ok(Date.now() - before >= 1950);
});

test("temporary refusals are tried again, no sooner than the hub asks; others are final", async (t) => {
  const server = await hub(t);
  const { until, subscription } = listen(t, { hub: server.url });
  const before = Date.now();
  (await server.next()).response.writeHead(503, { "Retry-After": "2" }).end("the store is away");
  const second = await server.next();
  assert.ok(Date.now() - before >= 1950);
  await until("error the hub answered 503: the store is away");
  second.response.writeHead(400).end("no matcher");
  await assert.rejects(subscription.closed, /400: no matcher/);
  await until("error the hub answered 400: no matcher");
  assert.ok(server.idle());
});

test("a page of a proxy is no stream, and not for ever", async (t) => {
  const server = await hub(t);
  const { until } = listen(t, { hub: server.url });
  (await server.next()).response.writeHead(200, { "Content-Type": "text/html" }).end("<p>login");
  open(await server.next(), event(1));
  await until("error the answer is no event stream; is this the address of a hub?", "event 1");
});

test("a connection that falls silent is given up, comments keep it", async (t) => {
  const server = await hub(t);
  const { until } = listen(t, { hub: server.url, silence: 3000 });
  const first = await server.next();
  const stream = open(first, "retry: 1\n" + event(1));
  const beat = setInterval(() => stream.write(":\n"), 50);
  await until("event 1");
  await new Promise((resolve) => setTimeout(resolve, 4500));
  assert.ok(server.idle());
  clearInterval(beat);
  await until("error the stream fell silent");
  await first.ended;
  assert.equal((await server.next()).request.headers["last-event-id"], "1");
});

test("closing ends the connection, and delivers nothing more, even of the same piece", async (t) => {
  const server = await hub(t);
  const abort = new AbortController();
  const { subscription, log } = listen(t, { hub: server.url, signal: abort.signal, onEvent: ({ id }) => { log.push(id); abort.abort(); } });
  const first = await server.next();
  open(first, event(1) + event(2));
  await subscription.closed;
  await first.ended;
  assert.deepEqual(log, ["1"]);
  assert.equal(subscription.lastEventID, "1");
  assert.equal(subscription.state, "closed");
  await subscribe({ hub: server.url, match: "a", onEvent() {}, signal: abort.signal }).closed;
  assert.ok(server.idle());
});

test("a pause ends a connection that the hub has not answered yet, without an error", async (t) => {
  const server = await hub(t);
  const log = [];
  const note = (kind) => (value) => log.push(`${kind} ${value.message ?? value}`);
  const hooks = { onEvent: note("event"), onState: note("state"), onError: note("error") };
  const stream = new Stream(streamRequest({ hub: server.url, match: "a" }), {}, hooks);
  const done = stream.run();
  const unanswered = await server.next();
  stream.pause();
  await unanswered.ended;
  stream.resume();
  open(await server.next());
  while (stream.state !== "open") await new Promise(setImmediate);
  stream.close();
  await done;
  assert.deepEqual(log.filter((line) => !line.startsWith("state")), []);
});

test("a tab that joins a shared stream does not cut short what the hub asked to wait", async (t) => {
  const server = await hub(t);
  const registry = new Registry();
  const join = () => {
    const told = [];
    const member = registry.join({ postMessage: (message) => told.push(message) }, {
      request: streamRequest({ hub: server.url, match: "a" }), scope: "", cursor: "", token: "", silence: undefined, paused: false,
    });
    t.after(() => member.leave());
    return told;
  };
  const first = join();
  (await server.next()).response.writeHead(503, { "Retry-After": "60" }).end();
  while (!first.some(({ state }) => state === "waiting")) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(join(), [{ type: "joined", state: "waiting", lastEventID: "" }]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(server.idle());
});

test("options that cannot work are refused", () => {
  assert.throws(() => subscribe({ hub: "http://127.0.0.1", onEvent() {} }), /nothing to subscribe to/);
  assert.throws(() => subscribe({ hub: "http://127.0.0.1", match: "a" }), /onEvent/);
  assert.throws(() => subscribe({ hub: "not a URL", match: "a", onEvent() {} }), TypeError);
});

test("publish", async (t) => {
  const server = await hub(t);
  const token = ({ refused }) => (refused ? "T2" : "T1");
  const id = publish({ hub: server.url, topic: ["a", "b"], data: "é & co", private: true, type: "t", id: "1", retry: 5, token });
  (await server.next()).response.writeHead(401).end();
  const second = await server.next();
  assert.equal(await second.body, "topic=a&topic=b&data=%C3%A9+%26+co&private=on&id=1&type=t&retry=5");
  assert.equal(second.request.headers.authorization, "Bearer T2");
  second.response.end("urn:1");
  assert.equal(await id, "urn:1");
  const plain = publish({ hub: server.url, topic: "a", private: false });
  const third = await server.next();
  assert.equal(await third.body, "topic=a&data=");
  third.response.writeHead(403).end("not yours");
  await assert.rejects(plain, (error) => error.status === 403 && error.final && /not yours/.test(error.message));
});
});

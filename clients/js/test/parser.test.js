import assert from "node:assert/strict";
import { test } from "node:test";
import { Parser } from "../src/parser.js";

const bytes = (text) => new TextEncoder().encode(text);

// Each stream and the events of it, by the HTML Standard, section 9.2.6.
const cases = {
  "one event": ["data: a\n\n", [["", "message", "a"]]],
  "byte order mark, once": ["\uFEFFdata: a\n\n\uFEFFdata: b\n\n", [["", "message", "a"]]],
  "three kinds of line breaks": ["data: a\r\rdata: b\r\n\r\ndata: c\n\n", [["", "message", "a"], ["", "message", "b"], ["", "message", "c"]]],
  "mixed line breaks": ["data: a\n\r\ndata: b\r\n\rdata: c\r\n\n", [["", "message", "a"], ["", "message", "b"], ["", "message", "c"]]],
  "several lines of data": ["data: a\ndata\ndata:\ndata:  b\n\n", [["", "message", "a\n\n\n b"]]],
  "comments": [": x\n:\ndata: a\n:data: b\n\n", [["", "message", "a"]]],
  "no space after the colon": ["data:a\nid:1\nevent:t\n\n", [["1", "t", "a"]]],
  "a colon in the value": ["data: a: b\n\n", [["", "message", "a: b"]]],
  "type and id": ["event: add\nid: 1\ndata: a\n\ndata: b\n\n", [["1", "add", "a"], ["1", "message", "b"]]],
  "an id with NULL is ignored": ["id: 1\n\nid: 2\0\ndata: a\n\n", [["1", "message", "a"]]],
  "an empty id resets": ["id: 1\ndata: a\n\nid\ndata: b\n\n", [["1", "message", "a"], ["", "message", "b"]]],
  "an event without data is none, its id counts": ["event: t\nid: 1\n\ndata: a\n\n", [["1", "message", "a"]]],
  "empty data is an event": ["data\n\n", [["", "message", ""]]],
  "what is not finished is dropped": ["data: a\n\ndata: b\n", [["", "message", "a"]]],
  "unknown fields": ["Data: x\n data: y\nfoo: z\ndata: a\n\n", [["", "message", "a"]]],
  "characters of several bytes": ["id: é\ndata: 漢字 🎉\n\n", [["é", "message", "漢字 🎉"]]],
};

const plain = (events) => events.map(({ id, type, data }) => [id, type, data]);

for (const [name, [text, want]] of Object.entries(cases)) {
  test(`parser: ${name}, cut anywhere`, () => {
    const all = bytes(text);
    const run = (...pieces) => {
      const parser = new Parser();
      return plain(pieces.flatMap((piece) => parser.push(piece)));
    };
    assert.deepEqual(run(text), want);
    assert.deepEqual(run(...Array.from(all, (_, i) => all.subarray(i, i + 1))), want, "byte by byte");
    for (let i = 0; i <= all.length; i++) {
      for (let j = i; j <= all.length; j++) {
        assert.deepEqual(run(all.subarray(0, i), all.subarray(i, j), all.subarray(j)), want, `cut at ${i} and ${j}`);
      }
    }
  });
}

test("parser: an event is there as soon as its last byte is, a carriage return too", () => {
  const parser = new Parser();
  assert.deepEqual(plain(parser.push("data: a\r\r")), [["", "message", "a"]]);
  assert.deepEqual(plain(parser.push("\ndata: b\n\n")), [["", "message", "b"]]);
});

test("parser: reconnection time", () => {
  const parser = new Parser();
  parser.push("retry: 10\n");
  assert.equal(parser.retry, 10);
  for (const text of ["retry: 1x\n", "retry: -1\n", "retry\n", "retry: ٣\n", "retry: 1.5\n"]) parser.push(text);
  assert.equal(parser.retry, 10);
});

test("parser: the cursor is that of complete events", () => {
  const parser = new Parser("0");
  assert.equal(parser.lastEventID, "0");
  parser.push("id: 1\ndata: a\n");
  assert.equal(parser.lastEventID, "0");
  parser.push("\n");
  assert.equal(parser.lastEventID, "1");
});

// Streams made of the characters that matter, cut at random, against a parser that is given everything at once and splits it
// by a regular expression.
test("parser: random streams", () => {
  const seed = Number(process.env.SEED) || Date.now() % 1e9;
  let state = seed;
  const random = (n) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * n);
  };
  const words = ["data", "id", "event", "retry", ":", ": ", "\n", "\r", "\r\n", "\n\n", "a", "é", "🎉", "\0", "12", "\uFEFF"];
  for (let round = 0; round < 3000; round++) {
    const text = Array.from({ length: random(30) }, () => words[random(words.length)]).join("");
    const all = bytes(text);
    const parser = new Parser();
    const got = [];
    for (let at = 0; at < all.length; ) {
      const next = at + 1 + random(6);
      got.push(...parser.push(all.subarray(at, next)));
      at = next;
    }
    assert.deepEqual(plain(got), naive(text), `seed ${seed}, stream ${JSON.stringify(text)}`);
  }
});

function naive(text) {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/).slice(0, -1);
  const events = [];
  let [data, type, id] = [[], "", ""];
  for (const line of lines) {
    if (line === "") {
      if (data.length > 0) events.push([id, type || "message", data.join("\n")]);
      [data, type] = [[], ""];
      continue;
    }
    const [, name, value] = /^([^:]*)(?::[ ]?([^]*))?$/.exec(line);
    if (name === "data") data.push(value ?? "");
    if (name === "event") type = value ?? "";
    if (name === "id" && !value?.includes("\0")) id = value ?? "";
  }
  return events;
}

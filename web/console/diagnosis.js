// Why a stream did not get an update: the stream is replayed against the history, one condition at a time. How to read
// the history is a parameter, so that this runs without a page and a hub.

// WALK bounds how many events are looked through for the update.
export const WALK = 200_000;

// diagnose looks for the reason. of: matchers, token, inspector (a token that may receive more, or empty), id, cursor (or
// empty). tools: read (as readPage), everything (matchers of every topic), EARLIEST. step(ok, text) is told of each
// finding; ok is true, false or null. It returns the answer in a sentence or two.
export async function diagnose(of, tools, step) {
  const { read, EARLIEST } = tools;
  const { matchers, token, id, cursor } = of;
  // A stream that begins after the update tells whether that is retained, even to those who may not read it.
  const probe = await read({ matchers, token, cursor: id, count: 0 });
  step(true, "The hub accepts a stream with these matchers and this token.");
  if (id === EARLIEST || probe.began !== id) {
    step(false, "The history does not have this event.");
    return "The hub does not retain an event with this id: it was never stored, or retention (--history-max-events, -age, -bytes) has removed it. A stream that was away for so long is told of a gap.";
  }
  step(true, "The event is retained.");

  const eye = of.inspector || token;
  const before = await predecessor(of, tools, eye);
  if (!before.found) {
    if (before.end === "full") {
      step(null, `It is not among the oldest ${WALK.toLocaleString("en")} events, which is as far as the console looks.`);
      return "The event is retained, but too far from the beginning of the history for the console to find it.";
    }
    step(false, `${of.inspector ? "Neither token" : "This token"} shows it to a stream that wants every topic.`);
    return of.inspector
      ? "The update is private, and neither token grants any of its topics. Give a token that does, to learn whether the matchers select it."
      : "The update is private, and the token of the stream grants none of its topics. Whether the matchers select it cannot be told without a token that may receive it.";
  }
  const after = { cursor: before.id, count: 1 };
  const arrives = async (wanted, by) => (await read({ ...after, matchers: wanted, token: by, until: (event) => event.id === id })).end === "found";

  const selected = await arrives(matchers, eye);
  step(selected, selected ? "A matcher selects one of its topics." : "No matcher selects any of its topics.");
  const granted = eye === token || await arrives(tools.everything, token);
  step(granted, granted ? "It is public, or the token grants one of its topics." : "It is private, and the token grants none of its topics.");
  if (!selected) {
    return `No matcher of the stream selects a topic of this update.${granted ? "" : " Nor does the token grant it."} Compare the topics that were published with the matchers: exact ones are compared byte by byte.`;
  }
  if (!granted) return "The update is private, and the token of the stream grants none of its topics.";
  const both = eye === token || await arrives(matchers, token);
  if (!both) {
    step(false, "Together they do not let it through.");
    return "The matchers and the token each let some of its topics through, but together they do not.";
  }
  return position({ ...of, cursor }, tools, eye, before, step);
}

// position compares the update with the cursor of the stream.
async function position({ id, cursor }, tools, eye, before, step) {
  const GETS = "A stream with these matchers and this token gets this update: the hub just sent it.";
  if (!cursor) {
    step(null, "The cursor of the stream is not known.");
    return `${GETS} So the stream was not connected when the update was published, or began after it without a cursor, or ended before it was written.`;
  }
  if (cursor === id) {
    step(false, "The cursor is this very event.");
    return "The cursor of the stream is this event, so its client has received it.";
  }
  const probe = await tools.read({ matchers: tools.everything, token: eye, cursor, count: 0 });
  if (cursor !== tools.EARLIEST && probe.began !== cursor) {
    step(null, "The cursor is not retained.");
    return `${GETS} The hub no longer has the stream's cursor: a stream that resumes there is told of a gap and gets everything that is retained, this update included.`;
  }
  const ahead = before.passed.has(cursor) || cursor === tools.EARLIEST
    || (await tools.read({ matchers: tools.everything, token: eye, cursor, count: WALK, until: (event) => event.id === id })).end === "found";
  step(ahead, ahead ? "The update comes after the cursor." : "The update comes before the cursor.");
  return ahead
    ? `${GETS} It comes after the stream's cursor, so the stream gets it as soon as it resumes from there. If it is connected, it is behind.`
    : "The update is older than the stream's cursor. A stream gets only what comes after its cursor, so it got this update before that, or its client took its cursor from elsewhere.";
}

// predecessor walks the history to the update and returns the event before it.
async function predecessor({ id, cursor }, { read, everything, EARLIEST }, token) {
  let last = EARLIEST;
  let before = null;
  const passed = new Set();
  const walk = await read({
    matchers: everything, token, cursor: EARLIEST, count: WALK,
    until: (event) => event.id === id,
    onEvent: (event) => {
      if (event.id === id) before = last;
      if (event.id === cursor && event.id !== id) passed.add(event.id);
      last = event.id;
    },
  });
  return { found: walk.end === "found", end: walk.end, id: before, passed };
}

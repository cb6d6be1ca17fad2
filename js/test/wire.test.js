import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { open, settle } from "./support/setup.js";

const vectors = JSON.parse(readFileSync(new URL("./frames.json", import.meta.url), "utf8"));

for (const { name, json } of vectors.requests) {
  test(`writes byte for byte: ${name}`, () => {
    const texts = [];
    const { session, socket } = open({ serializeJson: (value) => (texts.push(JSON.stringify(value)), texts.at(-1)) });
    const { id, rpc, body } = JSON.parse(json);
    for (let n = 1; n < Number(id.split("-")[1]); n++) session.sendOneWay.filler();
    session.sendOneWay[rpc](Object.keys(body).length === 0 ? undefined : body);
    assert.equal(texts.at(-1), json);
    assert.deepEqual(socket.sent.at(-1), JSON.parse(json));
  });
}

for (const { name, json } of vectors.responses) {
  test(`reads: ${name}`, async () => {
    const { session, socket, reports } = open();
    const { id, rpc, body } = JSON.parse(json);
    for (let n = 1; n < Number(id.split("-")[1]); n++) session.sendOneWay.filler();
    const answer = session.send[rpc]();
    socket.receive(json);
    assert.deepEqual(await answer, body);
    assert.deepEqual(reports, []);
  });
}

for (const { name, json } of vectors.errors) {
  test(`reads: ${name}`, async () => {
    const { session, socket, reports } = open();
    const { id, rpc, error, code, data } = JSON.parse(json);
    for (let n = 1; n < Number(id.split("-")[1]); n++) session.sendOneWay.filler();
    const answer = session.send[rpc]();
    socket.receive(json);
    await assert.rejects(answer, { name: "SockaError", message: error, code, data });
    assert.deepEqual(reports, []);
  });
}

for (const { name, json } of vectors.events) {
  test(`reads: ${name}`, () => {
    const { session, socket, reports } = open();
    const { event, body } = JSON.parse(json);
    const seen = [];
    session.subscribe.on(event, (payload) => seen.push(payload));
    socket.receive(json);
    assert.deepEqual(seen, [body]);
    assert.deepEqual(reports, []);
  });
}

for (const { name, json } of vectors.malformed) {
  test(`reports, and goes on after: ${name}`, async () => {
    const { session, socket, reports } = open();
    socket.receive(json);
    assert.equal(reports.length, 1);
    assert.equal(reports[0].kind, "clientFrame");
    assert.match(reports[0].error.message, /^malformed frame: /);
    const answer = session.send.echo({});
    socket.respond(socket.sent[0], { fine: true });
    assert.deepEqual(await answer, { fine: true });
  });
}

test("reports a binary message on a JSON connection", () => {
  const { socket, reports } = open();
  socket.fire("message", { data: new ArrayBuffer(4) });
  assert.match(reports[0].error.message, /binary message/);
});

test("keeps code and data as they are when set to empty values, and undefined when absent", async () => {
  const { session, socket } = open();
  const empty = session.send.a();
  socket.receive({ socka: "serverError", v: 1, id: "a-1", error: "no", code: "", data: null });
  await assert.rejects(empty, (error) => error.code === "" && error.data === null);
  const bare = session.send.a();
  socket.receive({ socka: "serverError", v: 1, id: "a-2", error: "no" });
  await assert.rejects(bare, (error) => error.code === undefined && error.data === undefined && error.retryAfterMs === undefined);
});

test("takes the server's retry hint, and ignores envelope fields it does not know", async () => {
  const { session, socket } = open();
  const late = session.send.a();
  socket.receive({ socka: "serverError", v: 1, id: "a-1", error: "slow down", code: "rate_limited", retryAfter: 250, epoch: 7 });
  await assert.rejects(late, { code: "rate_limited", retryAfterMs: 250 });
  const fine = session.send.a();
  socket.receive({ socka: "serverResponse", v: 1, id: "a-2", rpc: "a", body: 1, seq: 9, serverTime: 1 });
  assert.equal(await fine, 1);
});

test("an answer with another rpc rejects the call", async () => {
  const { session, socket, reports } = open();
  const call = session.send.a();
  socket.receive({ socka: "serverResponse", v: 1, id: "a-1", rpc: "b", body: {} });
  await assert.rejects(call, { code: "protocol_error" });
  assert.deepEqual(reports, []);
});

test("a malformed answer to a pending call is reported and rejects the call", async () => {
  const { session, socket, reports } = open();
  const call = session.send.a();
  socket.receive({ socka: "serverResponse", v: 1, id: "a-1", body: {} });
  await assert.rejects(call, { code: "protocol_error" });
  assert.deepEqual(reports.map((r) => r.kind), ["clientFrame"]);
});

test("a second answer is ignored, one to an id never issued is reported", async () => {
  const { session, socket, reports } = open();
  const call = session.send.a();
  socket.respond({ id: "a-1", rpc: "a" }, 1);
  socket.respond({ id: "a-1", rpc: "a" }, 2);
  assert.equal(await call, 1);
  assert.deepEqual(reports, []);
  for (const [id, rpc] of [["a-2", "a"], ["a-0", "a"], ["a-01", "a"], ["other", "a"], ["a-1", "b"]]) socket.respond({ id, rpc }, 1);
  assert.deepEqual(reports.map((r) => [r.kind, r.id]), ["a-2", "a-0", "a-01", "other", "a-1"].map((id) => ["clientUnmatchedResponse", id]));
});

test("a server error that no call waits for is reported", () => {
  const { socket, reports } = open();
  socket.receive({ socka: "serverError", v: 1, id: "x-9", error: "lost", code: "gone" });
  assert.equal(reports[0].kind, "clientUnmatchedError");
  assert.equal(reports[0].id, "x-9");
  assert.equal(reports[0].error.code, "gone");
});

test("deserializeJson sees the text of every envelope", () => {
  const texts = [];
  const { session, socket } = open({ deserializeJson: (text) => (texts.push(text), JSON.parse(text)) });
  session.subscribe.on("n", () => {});
  socket.receive(vectors.events[0].json);
  assert.deepEqual(texts, [vectors.events[0].json]);
});

test("without reportError, failures go to console.error", async (t) => {
  const seen = t.mock.method(console, "error", () => {});
  const { socket } = open({ reportError: undefined });
  socket.receive("x");
  await settle();
  assert.equal(seen.mock.callCount(), 1);
  assert.match(seen.mock.calls[0].arguments[0], /^socka: clientFrame/);
});

test("a reportError that throws does no harm", (t) => {
  const seen = t.mock.method(console, "error", () => {});
  const { socket, session } = open({ reportError: () => { throw new Error("oops"); } });
  socket.receive("x");
  assert.equal(seen.mock.callCount(), 1);
  assert.equal(session.status, "open");
});

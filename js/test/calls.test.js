import assert from "node:assert/strict";
import { test } from "node:test";
import { defineSocka, RESERVED_CALL_NAMES, SockaError, SockaSession } from "../socka.js";
import { open, schema, settle, setup } from "./support/setup.js";

const text = schema((v) => (typeof v?.text === "string" ? undefined : "expected a text"), { path: ["text"] });
const laterText = schema((v) => (typeof v?.text === "string" ? undefined : "expected a text"), { later: true });
const ok = schema((v) => (v?.ok === true ? undefined : "expected ok"), { path: [{ key: "ok" }] });
const nothing = schema((v) => (v === undefined ? undefined : "expected nothing"));
const contract = {
  calls: { say: { input: text, output: ok }, ping: { output: nothing }, typing: { input: text }, slow: { input: laterText, output: ok } },
  pushes: { line: text },
};

test("send is not thenable and has none of the reserved names, with and without a contract", async () => {
  for (const options of [{}, { contract }]) {
    const { session } = open(options);
    for (const map of [session.send, session.sendOneWay]) {
      for (const name of RESERVED_CALL_NAMES) assert.equal(map[name], undefined, name);
      assert.equal(map[Symbol.iterator], undefined);
      assert.equal(map[Symbol.toPrimitive], undefined);
      assert.equal(await map, map);
      assert.throws(() => { map.say = () => {}; }, TypeError);
    }
  }
});

test("ids count up per session over all calls", () => {
  const { session, socket } = open();
  session.sendOneWay.a();
  session.sendOneWay.b();
  session.sendOneWay.a();
  assert.deepEqual(socket.sent.map((f) => f.id), ["a-1", "b-2", "a-3"]);
});

test("answers find their calls in any order", async () => {
  const { session, socket } = open();
  const calls = [session.send.a({ n: 1 }), session.send.a({ n: 2 }), session.send.b()];
  for (const request of socket.sent.toReversed?.() ?? [...socket.sent].reverse()) socket.respond(request, request.id);
  assert.deepEqual(await Promise.all(calls), ["a-1", "a-2", "b-3"]);
});

test("an input that is no object, or that JSON cannot carry, rejects and sends nothing", async () => {
  const { session, socket } = open();
  for (const input of ["x", 1, null, [], { n: 1n }]) await assert.rejects(session.send.a(input), { code: "invalid_input" });
  assert.deepEqual(socket.sent, []);
});

test("calls made before the connection opens wait for it and leave in order, before anybody hears of it", async () => {
  const { session, socket } = setup();
  session.onStatusChange(() => session.sendOneWay.c());
  const first = session.send.a();
  session.sendOneWay.b();
  assert.deepEqual(socket.sent, []);
  socket.accept();
  assert.deepEqual(socket.sent.map((f) => f.rpc), ["a", "b", "c"]);
  socket.respond(socket.sent[0], 1);
  assert.equal(await first, 1);
});

test("too many waiting calls are refused as unavailable", async () => {
  const { session, socket } = setup({ maxQueuedCalls: 2 });
  const waiting = [session.send.a(), session.send.a()];
  await assert.rejects(session.send.a(), { code: "unavailable" });
  socket.accept();
  for (const request of socket.sent) socket.respond(request, 1);
  assert.deepEqual(await Promise.all(waiting), [1, 1]);
});

test("a call on a socket that is closing already waits for the next one", async () => {
  const { session, timers, socket, FakeWebSocket } = open();
  socket.readyState = 2;
  const call = session.send.a();
  assert.deepEqual(socket.sent, []);
  socket.drop(1012);
  timers.advance(1000);
  FakeWebSocket.last.accept();
  FakeWebSocket.last.respond(FakeWebSocket.last.sent[0], "back");
  assert.equal(await call, "back");
});

test("a socket that refuses to send rejects the call", async () => {
  const { session, socket } = open();
  socket.send = () => { throw new Error("InvalidStateError"); };
  await assert.rejects(session.send.a(), { code: "connection_lost" });
});

test("one-way: resolves once sent; the server's later error is reported", async () => {
  const { session, socket, reports } = open();
  await session.sendOneWay.typing({ on: true });
  assert.equal(socket.sent[0].id, "typing-1");
  socket.receive({ socka: "serverError", v: 1, id: "typing-1", rpc: "typing", error: "denied", code: "permission_denied" });
  assert.deepEqual(reports.map((r) => [r.kind, r.rpc, r.error.code]), [["clientUnmatchedError", "typing", "permission_denied"]]);
});

test("one-way before the connection opens resolves only when it is sent", async () => {
  const { session, socket } = setup();
  let sent = false;
  const call = session.sendOneWay.typing({ on: true }).then(() => { sent = true; });
  await settle();
  assert.equal(sent, false);
  socket.accept();
  await call;
  assert.equal(sent, true);
});

test("contract: a call without output is one-way, also through send", async () => {
  const { session, socket, reports } = open({ contract });
  assert.equal(await session.send.typing({ text: "x" }), undefined);
  socket.receive({ socka: "serverError", v: 1, id: "typing-1", rpc: "typing", error: "no" });
  assert.equal(reports[0].kind, "clientUnmatchedError");
});

test("contract: inputs are checked before they are sent", async () => {
  const { session, socket } = open({ contract });
  await assert.rejects(session.send.say({ text: 1 }), { code: "invalid_input", message: "call say: text: expected a text" });
  assert.deepEqual(socket.sent, []);
});

test("contract: outputs are checked again", async () => {
  const { session, socket } = open({ contract });
  const bad = session.send.say({ text: "x" });
  socket.respond(socket.sent[0], { ok: 1 });
  await assert.rejects(bad, { code: "invalid_output", message: "call say: the output fails its schema: ok: expected ok" });
  const good = session.send.say({ text: "x" });
  socket.respond(socket.sent[1], { ok: true });
  assert.deepEqual(await good, { ok: true });
  const voided = session.send.ping();
  socket.respond(socket.sent[2], undefined);
  assert.equal(await voided, undefined);
  const nulled = session.send.ping();
  socket.respond(socket.sent[3], null);
  await assert.rejects(nulled, { code: "invalid_output" });
});

test("contract: a slow input schema keeps later calls behind it", async () => {
  const { session, socket } = open({ contract });
  const first = session.send.slow({ text: "1" });
  session.send.typing({ text: "2" });
  assert.deepEqual(socket.sent, []);
  await settle();
  await settle();
  assert.deepEqual(socket.sent.map((f) => f.rpc), ["slow", "typing"]);
  session.send.typing({ text: "3" });
  assert.equal(socket.sent.length, 3, "and nothing waits once it is done");
  socket.respond(socket.sent[0], { ok: true });
  assert.deepEqual(await first, { ok: true });
});

test("contract: a schema that throws or rejects makes the call reject", async () => {
  const throws = { "~standard": { validate: () => { throw new Error("broken"); } } };
  const rejects = { "~standard": { validate: () => Promise.reject(new Error("broken")) } };
  const { session } = open({ contract: { calls: { a: { input: throws }, b: { input: rejects } } } });
  await assert.rejects(session.send.a({}), /the schema itself failed: broken/);
  await assert.rejects(session.send.b({}), /the schema itself failed: broken/);
});

test("contract: only its calls exist; bad names are refused", () => {
  const { session } = open({ contract });
  assert.deepEqual(Object.keys(session.send), ["say", "ping", "typing", "slow"]);
  assert.equal(session.send.other, undefined);
  for (const name of ["", "socka:x", "then", "toString"]) {
    assert.throws(() => defineSocka({ calls: { [name]: {} } }), TypeError, name);
    assert.throws(() => setup({ contract: { calls: { [name]: {} } } }), TypeError, name);
  }
  assert.throws(() => defineSocka(JSON.parse('{"calls":{"__proto__":{}}}')), TypeError);
  assert.throws(() => defineSocka({ calls: {}, pushes: { "socka:x": text } }), TypeError);
  assert.equal(defineSocka(contract), contract);
});

test("timeoutMs: rejects, and the late answer is no news", async () => {
  const { session, socket, timers, reports } = open();
  const call = session.send.a({}, { timeoutMs: 200 });
  timers.advance(199);
  timers.advance(1);
  await assert.rejects(call, { code: "deadline_exceeded" });
  socket.respond(socket.sent[0], 1);
  assert.deepEqual(reports, []);
});

test("timeoutMs and signal also end the wait for a connection, and the call is never sent", async () => {
  const { session, socket, timers } = setup();
  const controller = new AbortController();
  const timedOut = session.send.a({}, { timeoutMs: 50 });
  const aborted = session.send.b({}, { signal: controller.signal });
  timers.advance(50);
  controller.abort(new Error("changed my mind"));
  await assert.rejects(timedOut, { code: "deadline_exceeded" });
  await assert.rejects(aborted, /changed my mind/);
  socket.accept();
  assert.deepEqual(socket.sent, []);
});

test("an aborted signal rejects before anything is sent; a settled call leaves no timer and no listener", async () => {
  const { session, socket, timers } = open();
  timers.advance(5000);
  await assert.rejects(session.send.a({}, { signal: AbortSignal.abort(new Error("early")) }), /early/);
  assert.deepEqual(socket.sent, []);
  const { signal } = new AbortController();
  let listening = 0;
  const add = signal.addEventListener, remove = signal.removeEventListener;
  signal.addEventListener = (...args) => (listening++, add.apply(signal, args));
  signal.removeEventListener = (...args) => (listening--, remove.apply(signal, args));
  const call = session.send.a({}, { signal, timeoutMs: 1000 });
  assert.equal(listening, 1);
  assert.equal(timers.pending.length, 1);
  socket.respond(socket.sent[0], 1);
  await call;
  assert.equal(listening, 0);
  assert.deepEqual(timers.pending, []);
});

test("construction refuses what cannot work", () => {
  assert.throws(() => setup({ wireFormat: "msgpack" }), /wireFormat "msgpack" is not supported/);
  assert.throws(() => setup({ url: undefined }), /needs a url or a webSocket/);
  const saved = globalThis.WebSocket;
  try {
    delete globalThis.WebSocket;
    assert.throws(() => new SockaSession({ url: "ws://x/" }), /has no WebSocket/);
  } finally {
    if (saved) globalThis.WebSocket = saved;
  }
});

test("SockaError carries what it is given", () => {
  const cause = new Error("why");
  const error = new SockaError("no", { code: "c", data: { a: 1 }, retryAfterMs: 5, cause });
  assert.ok(error instanceof Error);
  assert.deepEqual([error.name, error.message, error.code, error.data, error.retryAfterMs, error.cause], ["SockaError", "no", "c", { a: 1 }, 5, cause]);
  assert.equal("cause" in new SockaError("no"), false);
});

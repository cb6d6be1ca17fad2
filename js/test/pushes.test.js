import assert from "node:assert/strict";
import { test } from "node:test";
import { open, schema, settle } from "./support/setup.js";

const num = schema((v) => (typeof v?.n === "number" ? undefined : "expected a number"), { path: ["n"] });
const laterNum = schema((v) => (typeof v?.n === "number" ? undefined : "expected a number"), { later: true });
const any = schema(() => undefined);

test("on, off, once, and the function that on returns", () => {
  const { session, socket } = open();
  const seen = [];
  const a = (p) => seen.push(["a", p.n]);
  const b = (p) => seen.push(["b", p.n]);
  const stopA = session.subscribe.on("n", a);
  session.subscribe.on("n", a);
  session.subscribe.once("n", b);
  socket.push("n", { n: 1 });
  socket.push("n", { n: 2 });
  stopA();
  stopA();
  session.subscribe.on("n", b);
  socket.push("n", { n: 3 });
  session.subscribe.off("n", b);
  session.subscribe.off("never", b);
  socket.push("n", { n: 4 });
  assert.deepEqual(seen, [["a", 1], ["b", 1], ["a", 2], ["b", 3]]);
});

test("pushHandlers are subscriptions from the start", () => {
  const seen = [];
  const { socket } = open({ pushHandlers: { n: (p) => seen.push(p), left: undefined } });
  socket.push("n", { n: 1 });
  assert.deepEqual(seen, [{ n: 1 }]);
});

test("a handler ended by an earlier one of the same push is not called", () => {
  const { session, socket } = open();
  const seen = [];
  const second = () => seen.push("second");
  session.subscribe.on("n", () => session.subscribe.off("n", second));
  session.subscribe.on("n", second);
  socket.push("n", {});
  assert.deepEqual(seen, []);
});

test("no handler is called after close()", () => {
  const { session, socket } = open();
  const seen = [];
  session.subscribe.on("n", () => session.close());
  session.subscribe.on("n", () => seen.push("late"));
  socket.push("n", {});
  assert.deepEqual(seen, []);
});

test("pushes without a subscriber, and control pushes, are dropped silently", () => {
  const { session, socket, reports } = open();
  socket.push("unknown", {});
  socket.push("constructor", {});
  socket.push("socka:resume", {});
  assert.deepEqual(reports, []);
  assert.throws(() => session.subscribe.on("socka:resume", () => {}), /reserved/);
  assert.throws(() => session.subscribe.on("", () => {}), /empty/);
  assert.throws(() => session.subscribe.on("n", undefined), /not a function/);
});

test("a handler that throws or rejects is reported; the others run", async () => {
  const { session, socket, reports } = open();
  const seen = [];
  session.subscribe.on("n", () => { throw new Error("sync"); });
  session.subscribe.on("n", async () => { throw new Error("async"); });
  session.subscribe.on("n", () => seen.push("ran"));
  socket.push("n", {});
  await settle();
  assert.deepEqual(seen, ["ran"]);
  assert.deepEqual(reports.map((r) => [r.kind, r.eventName, r.error.message]), [
    ["clientEventListener", "n", "sync"],
    ["clientEventListener", "n", "async"],
  ]);
});

test("contract: a push that fails its schema is reported and not delivered", () => {
  const seen = [];
  const { session, socket, reports } = open({ contract: { calls: {}, pushes: { n: num } }, pushHandlers: { n: (p) => seen.push(p.n) } });
  socket.push("n", { n: "1" });
  socket.push("n", { n: 2 });
  socket.push("other", {});
  assert.deepEqual(seen, [2]);
  assert.deepEqual(reports.map((r) => [r.kind, r.eventName, r.error.message]), [
    ["clientEventValidation", "n", "push n fails its schema: n: expected a number"],
  ]);
  assert.throws(() => session.subscribe.on("other", () => {}), /no push "other"/);
  assert.throws(() => session.subscribe.on("toString", () => {}), /no push "toString"/);
});

test("contract: asynchronous schemas keep pushes and answers in order", async () => {
  const seen = [];
  const { session, socket } = open({
    contract: { calls: { a: { output: any }, b: { output: laterNum } }, pushes: { slow: laterNum, fast: any } },
    pushHandlers: { slow: (p) => seen.push(`slow ${p.n}`), fast: () => seen.push("fast") },
  });
  session.send.a().then(() => seen.push("a"));
  session.send.b().then(() => seen.push("b"));
  socket.push("slow", { n: 1 });
  socket.push("fast", {});
  socket.respond(socket.sent[0], {});
  socket.push("slow", { n: 2 });
  socket.respond(socket.sent[1], { n: 3 });
  socket.drop(1006); // both calls were answered before
  for (let i = 0; i < 8; i++) await settle();
  assert.deepEqual(seen, ["slow 1", "fast", "a", "slow 2", "b"]);
  session.close();
});

test("contract: a push still with its schema when the session closes is not delivered", async () => {
  const seen = [];
  const { session, socket } = open({ contract: { calls: {}, pushes: { n: laterNum } }, pushHandlers: { n: (p) => seen.push(p.n) } });
  socket.push("n", { n: 1 });
  session.close();
  for (let i = 0; i < 3; i++) await settle();
  assert.deepEqual(seen, []);
});

test("waitForPush: the next one that the predicate accepts", async () => {
  const { session, socket } = open();
  const waiting = session.subscribe.waitForPush("n", { predicate: (p) => p.n > 1 });
  socket.push("n", { n: 1 });
  socket.push("n", { n: 2 });
  socket.push("n", { n: 3 });
  assert.deepEqual(await waiting, { n: 2 });
});

test("waitForPush: outlives a reconnect", async () => {
  const { session, socket, timers, FakeWebSocket } = open();
  const waiting = session.subscribe.waitForPush("n");
  socket.drop(1006);
  timers.advance(1000);
  FakeWebSocket.last.accept();
  FakeWebSocket.last.push("n", { n: 1 });
  assert.deepEqual(await waiting, { n: 1 });
});

test("waitForPush: rejects by timeout, signal, predicate, end of session, bad name", async () => {
  const { session, socket, timers } = open();
  const timedOut = session.subscribe.waitForPush("n", { timeoutMs: 100 });
  timers.advance(100);
  await assert.rejects(timedOut, { code: "deadline_exceeded" });

  const controller = new AbortController();
  const aborted = session.subscribe.waitForPush("n", { signal: controller.signal });
  controller.abort();
  await assert.rejects(aborted, { name: "AbortError" });
  await assert.rejects(session.subscribe.waitForPush("n", { signal: controller.signal }), { name: "AbortError" });

  const broken = session.subscribe.waitForPush("n", { predicate: () => { throw new Error("bad predicate"); } });
  socket.push("n", {});
  await assert.rejects(broken, /bad predicate/);
  await assert.rejects(session.subscribe.waitForPush("socka:x"), TypeError);

  const ended = session.subscribe.waitForPush("n");
  session.close();
  await assert.rejects(ended, { code: "closed" });
  await assert.rejects(session.subscribe.waitForPush("n"), { code: "closed" });
});

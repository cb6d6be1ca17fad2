import assert from "node:assert/strict";
import { test } from "node:test";
import { shouldReconnect, SockaSession } from "../socka.js";
import { CountingTarget, fakeWebSocket } from "./support/fake.js";
import { open, settle, setup } from "./support/setup.js";

test("status: connecting, open, reconnecting, open, closed", () => {
  const made = setup();
  const { session, timers, statuses, FakeWebSocket } = made;
  assert.equal(session.status, "connecting");
  assert.equal(session.ready, false);
  made.socket.accept();
  assert.equal(session.ready, true);
  made.socket.drop(1006);
  assert.equal(session.ready, false);
  timers.advance(1000);
  made.socket.accept();
  session.close();
  assert.deepEqual(statuses, ["open", "reconnecting", "open", "closed"]);
  assert.deepEqual(FakeWebSocket.sockets.map((s) => s.url), ["ws://test.invalid/room?wire=json", "ws://test.invalid/room?wire=json"]);
});

test("the URL asks for JSON unless it says what it wants, and is otherwise left as it is", () => {
  for (const [url, opened] of [
    ["ws://h/room", "ws://h/room?wire=json"],
    ["ws://h/room?", "ws://h/room?wire=json"],
    ["ws://h/room?name=Ada%20L&b=%7e&&x", "ws://h/room?name=Ada%20L&b=%7e&&x&wire=json"],
    ["ws://h/room?a&", "ws://h/room?a&wire=json"],
    ["ws://h/room?a#part?wire=1", "ws://h/room?a&wire=json#part?wire=1"],
    ["ws://h/wire=x/room?a=wire=1", "ws://h/wire=x/room?a=wire=1&wire=json"],
    ["ws://h/room?wire=json", "ws://h/room?wire=json"],
    ["ws://h/room?a=1&wire=msgpack&b", "ws://h/room?a=1&wire=msgpack&b"],
    ["ws://h/room?w%69re=", "ws://h/room?w%69re="],
    [new URL("ws://h/room?a b"), "ws://h/room?a%20b&wire=json"],
    ["room", "room?wire=json"],
  ]) assert.equal(setup({ url }).socket.url, opened);
});

test("onStatusChange returns what ends it; listeners that throw are reported", () => {
  const { session, socket, reports } = open();
  const seen = [];
  const stop = session.onStatusChange((status) => seen.push(status));
  session.onStatusChange(() => { throw new Error("bad listener"); });
  socket.drop();
  stop();
  session.close();
  assert.deepEqual(seen, ["reconnecting"]);
  assert.deepEqual(reports.map((r) => [r.kind, r.error.message]), [["clientHook", "bad listener"], ["clientHook", "bad listener"]]);
});

test("every listener ends on the latest status, also when one of them closes the session", () => {
  const { session, socket } = open();
  const seen = [];
  session.onStatusChange((status) => { if (status === "reconnecting") session.close(); });
  session.onStatusChange((status) => seen.push(status));
  socket.drop();
  assert.deepEqual(seen, ["closed"]);
});

test("autoConnect: false opens on connect(), or with the first call", async () => {
  const a = setup({ autoConnect: false });
  assert.equal(a.session.status, "idle");
  assert.equal(a.FakeWebSocket.sockets.length, 0);
  const waited = a.session.waitForOpen();
  assert.equal(a.FakeWebSocket.sockets.length, 0, "waiting alone opens nothing");
  const connected = a.session.connect();
  a.session.connect();
  assert.equal(a.FakeWebSocket.sockets.length, 1);
  a.socket.accept();
  await Promise.all([connected, waited, a.session.connect()]);
  assert.deepEqual(a.statuses, ["connecting", "open"]);

  const b = setup({ autoConnect: false });
  const call = b.session.send.a();
  b.socket.accept();
  b.socket.respond(b.socket.sent[0], 1);
  assert.equal(await call, 1);
});

test("connect() and waitForOpen() wait through failed attempts, within their limits", async () => {
  const made = setup({ autoConnect: false });
  const patient = made.session.connect();
  const hasty = made.session.waitForOpen({ timeoutMs: 500 });
  made.socket.drop(1006);
  made.timers.advance(500);
  await assert.rejects(hasty, { code: "deadline_exceeded" });
  made.timers.advance(500);
  made.socket.accept();
  await patient;
});

test("onOpen, onClose and onError are called every time; what they throw is reported", () => {
  const seen = [];
  const made = setup({
    onOpen: () => seen.push("open"),
    onClose: (event) => seen.push(`close ${event.code} ${event.reason}`),
    onError: () => { seen.push("error"); throw new Error("bad hook"); },
  });
  made.socket.fire("error");
  made.socket.drop(1006);
  made.timers.advance(1000);
  made.socket.accept();
  made.socket.drop(1012, "restart");
  assert.deepEqual(seen, ["error", "close 1006 ", "open", "close 1012 restart"]);
  assert.equal(made.reports[0].kind, "clientHook");
});

test("backoff: 1 s doubling to 30 s, twenty attempts in a row", () => {
  const made = setup();
  const delays = [];
  for (let i = 0; i < 20; i++) {
    made.socket.drop(1006);
    delays.push(made.timers.pending[0]);
    made.timers.advance(made.timers.pending[0]);
  }
  assert.deepEqual(delays.slice(0, 7), [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  assert.equal(delays.at(-1), 30000);
});

test("backoff: spread by a fifth either way, and configurable", () => {
  for (const [random, options, want] of [
    [0, {}, 800],
    [1, {}, 1200],
    [0.25, {}, 900],
    [0, { jitter: 0 }, 1000],
    [0.5, { initialDelayMs: 50 }, 50],
    [1, { initialDelayMs: 5000, maxDelayMs: 100, jitter: 0.5 }, 150],
  ]) {
    const made = open({ random: () => random, reconnect: options });
    made.socket.drop();
    assert.deepEqual(made.timers.pending.map(Math.round), [want], JSON.stringify({ random, options }));
  }
  const tripled = open({ reconnect: { factor: 3 } });
  tripled.socket.drop();
  tripled.timers.advance(1000);
  tripled.socket.drop();
  assert.deepEqual(tripled.timers.pending, [3000]);
});

test("backoff starts again only after a connection that stayed open", () => {
  const made = open();
  made.socket.drop();
  made.timers.advance(1000);
  made.socket.accept();
  made.timers.advance(4999);
  made.socket.drop();
  assert.deepEqual(made.timers.pending, [2000], "it did not stay open");
  made.timers.advance(2000);
  made.socket.accept();
  made.timers.advance(5000);
  made.socket.drop();
  assert.deepEqual(made.timers.pending, [1000]);
});

test("maxAttempts ends the session; connect() starts it again", async () => {
  const made = open({ reconnect: { maxAttempts: 2 } });
  made.socket.drop();
  const waiting = made.session.send.a();
  const waiter = made.session.waitForOpen();
  for (let i = 0; i < 2; i++) {
    made.timers.advance(60_000);
    made.socket.drop();
  }
  assert.equal(made.session.status, "closed");
  assert.equal(made.FakeWebSocket.sockets.length, 3);
  await assert.rejects(waiting, { code: "closed", message: /2 attempts to reconnect failed/ });
  await assert.rejects(waiter, { code: "closed" });
  await assert.rejects(made.session.send.a(), { code: "closed" });
  const again = made.session.connect();
  made.socket.accept();
  await again;
  assert.equal(made.session.status, "open");
  made.socket.drop();
  assert.deepEqual(made.timers.pending, [1000], "as if for the first time");
});

test("a status listener may close the session: no socket is opened, onOpen is not called", () => {
  const early = setup({ autoConnect: false });
  early.session.onStatusChange((status) => { if (status === "connecting") early.session.close(); });
  early.session.connect();
  assert.equal(early.FakeWebSocket.sockets.length, 0);

  const opened = [];
  const late = setup({ onOpen: () => opened.push("open") });
  late.session.onStatusChange((status) => { if (status === "open") late.session.close(); });
  late.socket.accept();
  assert.equal(late.session.status, "closed");
  assert.deepEqual(opened, []);
  assert.deepEqual(late.timers.pending, []);
});

test("losing the connection rejects what was sent, keeps what was not, resends nothing", async () => {
  const made = open();
  const sent = made.session.send.a();
  made.socket.drop(1012);
  await assert.rejects(sent, { code: "connection_lost", message: /call a: .*close code 1012/ });
  const later = made.session.send.b();
  made.timers.advance(1000);
  made.socket.accept();
  assert.deepEqual(made.socket.sent.map((f) => f.id), ["b-2"]);
  made.socket.respond(made.socket.sent[0], 2);
  assert.equal(await later, 2);
});

test("close codes: 4400 to 4499 end the session, all others do not", async () => {
  for (const [code, back] of [[4399, true], [4400, false], [4401, false], [4499, false], [4500, true], [4599, true], [1000, true], [1001, true], [1006, true], [1008, true], [1011, true], [1012, true], [1013, true]]) {
    assert.equal(shouldReconnect(code), back, String(code));
    const made = open();
    made.socket.drop(code, "why");
    assert.equal(made.session.status, back ? "reconnecting" : "closed", String(code));
    if (back) continue;
    await assert.rejects(made.session.send.a(), { code: "closed", message: new RegExp(`close code ${code}, why.*not to come back`) });
    assert.deepEqual(made.timers.pending, []);
    made.session.connect();
    assert.equal(made.FakeWebSocket.sockets.length, 2, "by hand it may");
  }
});

test("reconnect: { enabled: false } ends with the connection", async () => {
  const made = open({ reconnect: { enabled: false } });
  const pending = made.session.send.a();
  made.socket.drop(1006);
  await assert.rejects(pending, { code: "connection_lost" });
  assert.equal(made.session.status, "closed");
  assert.deepEqual(made.timers.pending, []);
});

test("close() rejects everything, clears every timer and listener, and is final", async () => {
  const made = open();
  const { session, socket } = made;
  const waits = [session.send.a(), session.send.a({}, { timeoutMs: 99 }), session.subscribe.waitForPush("n", { timeoutMs: 99 })];
  session.close(4001, "bye");
  session.close();
  assert.deepEqual(socket.closedWith, { code: 4001, reason: "bye" });
  waits.push(session.send.a(), session.connect(), session.waitForOpen(), session.sendOneWay.a());
  for (const wait of waits) await assert.rejects(wait, { code: "closed" });
  assert.deepEqual(made.timers.pending, []);
  socket.drop(4001);
  socket.push("n", {});
  assert.equal(session.status, "closed");
  assert.equal(made.FakeWebSocket.sockets.length, 1);
});

test("close() while connecting, and while waiting to reconnect", async () => {
  const connecting = setup();
  const call = connecting.session.send.a();
  const opened = connecting.session.waitForOpen();
  connecting.session.close();
  connecting.socket.fire("error");
  await assert.rejects(call, { code: "closed" });
  await assert.rejects(opened, { code: "closed" });
  assert.deepEqual(connecting.timers.pending, []);

  const waiting = open();
  waiting.socket.drop();
  waiting.session.close();
  assert.deepEqual(waiting.timers.pending, []);
  waiting.timers.advance(60_000);
  assert.equal(waiting.FakeWebSocket.sockets.length, 1);
});

test("close() with a code that WebSocket refuses throws and changes nothing", () => {
  const { session } = open();
  assert.throws(() => session.close(999), RangeError);
  assert.equal(session.status, "open");
});

test("onClose is called once for close() too, when the socket is done", () => {
  const seen = [];
  const { session, socket } = open({ onClose: (event) => seen.push(event.code) });
  session.close();
  assert.deepEqual(seen, []);
  socket.drop(1000);
  assert.deepEqual(seen, [1000]);
});

test("a socket that is done with has no listeners left", () => {
  const made = open();
  const first = made.socket;
  assert.equal(first.listeners, 4);
  first.drop();
  assert.equal(first.listeners, 0);
});

test("an attempt that takes too long counts as failed", () => {
  const closes = [];
  const made = setup({ connectTimeoutMs: 3000, onClose: (event) => closes.push(event.reason) });
  const stuck = made.socket;
  made.timers.advance(3000);
  assert.equal(made.session.status, "reconnecting");
  assert.deepEqual(closes, ["no connection within 3000 ms"]);
  assert.ok(stuck.closedWith);
  stuck.accept(); // too late
  assert.equal(made.session.status, "reconnecting");
  made.timers.advance(1000);
  made.socket.accept();
  assert.equal(made.session.status, "open");
  assert.deepEqual(made.timers.pending, [5000], "only the one that watches whether it stays open");
});

test("a URL that WebSocket refuses: thrown at construction, or the session ends", async () => {
  class Refusing {
    constructor() { throw new SyntaxError("bad url"); }
  }
  assert.throws(() => new SockaSession({ url: "::", WebSocket: Refusing }), SyntaxError);
  const session = new SockaSession({ url: "::", WebSocket: Refusing, autoConnect: false });
  await assert.rejects(session.connect(), { code: "closed", message: /bad url/ });
  const other = new SockaSession({ url: "::", WebSocket: Refusing, autoConnect: false });
  await assert.rejects(other.send.a(), { code: "closed", message: /bad url/ });
});

test("a prepared webSocket: open, opening or closed", async () => {
  const Fake = fakeWebSocket();
  const ready = new Fake("x");
  ready.readyState = 1;
  const session = new SockaSession({ webSocket: ready });
  assert.equal(session.status, "open");
  const call = session.send.a();
  ready.respond(ready.sent[0], 1);
  assert.equal(await call, 1);
  ready.drop(1006);
  assert.equal(session.status, "closed", "nothing to open again");
  await assert.rejects(session.connect(), { code: "closed" });

  const opening = new Fake("x");
  const second = new SockaSession({ webSocket: opening });
  assert.equal(second.status, "connecting");
  opening.accept();
  assert.equal(second.status, "open");
  second.close();

  const dead = new Fake("x");
  dead.readyState = 3;
  const third = new SockaSession({ webSocket: dead });
  assert.equal(third.status, "closed");
  assert.equal(dead.listeners, 0);
});

test("in a browser, coming online or into view ends the wait", (t) => {
  const page = new CountingTarget();
  const document = new CountingTarget();
  document.visibilityState = "hidden";
  const globals = {
    document,
    addEventListener: page.addEventListener.bind(page),
    removeEventListener: page.removeEventListener.bind(page),
  };
  const saved = Object.keys(globals).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
  for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  t.after(() => {
    for (const [name, descriptor] of saved) {
      delete globalThis[name];
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
    }
  });

  const made = open();
  assert.equal(page.listeners + document.listeners, 0, "nothing listens while open");
  made.socket.drop();
  page.fire("online");
  assert.equal(made.FakeWebSocket.sockets.length, 2);
  assert.equal(page.listeners + document.listeners, 0);
  page.fire("online");
  assert.equal(made.FakeWebSocket.sockets.length, 2, "not while an attempt is under way");

  made.socket.drop();
  document.fire("visibilitychange");
  assert.equal(made.FakeWebSocket.sockets.length, 2, "still hidden");
  document.visibilityState = "visible";
  document.fire("visibilitychange");
  assert.equal(made.FakeWebSocket.sockets.length, 3);
  assert.deepEqual(made.timers.pending, [20_000], "only the attempt's own limit");

  made.socket.drop();
  made.session.close();
  assert.equal(page.listeners + document.listeners, 0);
});

test("nothing is left unhandled when nobody looks", async (t) => {
  const unhandled = [];
  const listener = (reason) => unhandled.push(reason);
  process.on("unhandledRejection", listener);
  t.after(() => process.off("unhandledRejection", listener));
  const made = setup();
  made.socket.drop(1006);
  made.session.connect();
  made.session.sendOneWay.typing();
  made.timers.advance(1000);
  made.socket.drop(4400);
  made.session.close();
  made.session.sendOneWay.typing();
  await settle();
  await settle();
  assert.deepEqual(unhandled, []);
});

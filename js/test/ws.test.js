// Over real sockets on the loopback interface, against a server scripted per test.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { WebSocket, WebSocketServer } from "ws";
import { SockaSession } from "../socka.js";
import { FakeTimers } from "./support/fake.js";

/** Answers every request by `handle(frame, reply)`; closes with the test. */
async function serve(t, handle, options = {}) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...options });
  await once(server, "listening");
  server.on("connection", (socket, request) => {
    server.emit("joined", socket, request);
    socket.on("message", (data, binary) => {
      assert.equal(binary, false);
      handle?.(JSON.parse(String(data)), (frame) => socket.send(JSON.stringify({ v: 1, ...frame })), socket);
    });
  });
  t.after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { server, url: `ws://127.0.0.1:${server.address().port}/ws/chat/lobby?name=Ada` };
}

function connect(t, options) {
  const session = new SockaSession({ WebSocket, reconnect: { initialDelayMs: 1 }, ...options });
  t.after(() => session.close());
  return session;
}

test("calls and pushes, pushes before the answer", async (t) => {
  const { url } = await serve(t, ({ id, rpc, body }, reply) => {
    reply({ socka: "serverEvent", event: "roomMessage", body: { text: body.text } });
    reply({ socka: "serverResponse", id, rpc, body: { ok: true } });
  });
  const session = connect(t, { url });
  const seen = [];
  session.subscribe.on("roomMessage", (row) => seen.push(row.text));
  const tricky = "hé😀<b>&\u2028\u0000";
  assert.deepEqual(await session.send.sendMessage({ text: tricky }), { ok: true });
  assert.deepEqual(seen, [tricky]);
});

test("no subprotocol is asked for, and the whole URL is opened again after a restart", async (t) => {
  const { server, url } = await serve(t, ({ id, rpc }, reply) => reply({ socka: "serverResponse", id, rpc, body: 1 }));
  const requests = [];
  server.on("joined", (_, request) => requests.push([request.url, request.headers["sec-websocket-protocol"]]));
  const session = connect(t, { url });
  await session.connect();
  for (const client of server.clients) client.close(1012, "restart");
  await once(server, "joined");
  assert.equal(await session.send.again(), 1);
  assert.deepEqual(requests, [["/ws/chat/lobby?name=Ada&wire=json", undefined], ["/ws/chat/lobby?name=Ada&wire=json", undefined]]);
});

test("a socket cut without a close frame rejects the call", async (t) => {
  const { url } = await serve(t, (_, __, socket) => socket.terminate());
  const session = connect(t, { url, reconnect: { enabled: false } });
  await assert.rejects(session.send.a(), { code: "connection_lost", message: /1006/ });
  assert.equal(session.status, "closed");
});

test("a close code of the do-not-return range ends the session", async (t) => {
  const { url } = await serve(t, (_, __, socket) => socket.close(4403, "kicked"));
  const session = connect(t, { url });
  const closed = new Promise((resolve) => session.onStatusChange((status) => status === "closed" && resolve()));
  await assert.rejects(session.send.a(), { code: "connection_lost" });
  await closed;
  await assert.rejects(session.send.a(), { code: "closed", message: /4403, kicked/ });
});

test("nobody listening: the attempts run out", async (t) => {
  const { server, url } = await serve(t);
  server.close();
  await once(server, "close");
  const session = connect(t, { url, autoConnect: false, reconnect: { initialDelayMs: 1, maxAttempts: 2 } });
  await assert.rejects(session.connect(), { code: "closed", message: /2 attempts/ });
});

test("an HTTP refusal is a failed attempt", async (t) => {
  const { url } = await serve(t, undefined, { verifyClient: (_, done) => done(false, 403) });
  const errors = [];
  const session = connect(t, { url, autoConnect: false, reconnect: { enabled: false }, onError: (event) => errors.push(event) });
  await assert.rejects(session.connect(), { code: "closed" });
  assert.equal(errors.length, 1);
});

test("close() reaches the server with its code, and before the connection opens does no harm", async (t) => {
  const { server, url } = await serve(t);
  const session = connect(t, { url });
  const [socket] = await once(server, "joined");
  await session.waitForOpen();
  session.close(4000, "done");
  const [code, reason] = await once(socket, "close");
  assert.deepEqual([code, String(reason)], [4000, "done"]);

  const errors = [];
  const hasty = connect(t, { url, onError: (event) => errors.push(event) });
  const closed = new Promise((resolve) => {
    const other = connect(t, { url, onClose: resolve });
    other.close();
  });
  hasty.close();
  await closed;
  assert.deepEqual(errors, []);
});

test("a server that never answers the upgrade is given up quietly", async (t) => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  t.after(() => silent.close());
  const timers = new FakeTimers();
  const errors = [];
  const session = connect(t, { url: `ws://127.0.0.1:${silent.address().port}/`, timers, onError: (event) => errors.push(event) });
  const [socket] = await once(silent, "connection");
  socket.resume();
  timers.advance(20_000);
  assert.equal(session.status, "reconnecting");
  await once(socket, "close");
  assert.deepEqual(errors, []);
});

test("a binary message is reported", async (t) => {
  const { url } = await serve(t, (_, __, socket) => socket.send(Buffer.from("{}")));
  const reported = new Promise((resolve) => {
    connect(t, { url, reportError: resolve }).sendOneWay.a();
  });
  assert.match((await reported).error.message, /binary message/);
});

// Against the Go demo server of this repository, as a process of its own.
import assert from "node:assert/strict";
import { after, before, test as nodeTest } from "node:test";
import { WebSocket } from "ws";
import { SockaSession } from "../socka.js";
import { buildDemo, noDemo, startDemo } from "./support/demo.js";

const DEADLINE = 30_000; // for anything that the server should do; far more than it takes

/** @type {Awaited<ReturnType<typeof buildDemo>>} */
let built;
before(async () => {
  if (!noDemo) built = await buildDemo();
});
after(() => built?.remove());

const test = (name, run) => nodeTest(name, { skip: noDemo, timeout: 4 * DEADLINE }, run);

/** A session that records its statuses and reports, and fails calls and waits that take too long. */
function join(t, url, options = {}) {
  const reports = [], statuses = [], closes = [];
  const session = new SockaSession({
    url,
    WebSocket,
    reconnect: { initialDelayMs: 20, maxDelayMs: 50 },
    onClose: ({ code, reason }) => closes.push({ code, reason }),
    reportError: (report) => reports.push(report),
    ...options,
  });
  session.onStatusChange((status) => statuses.push(status));
  t.after(() => session.close());
  const limits = { timeoutMs: DEADLINE };
  return {
    session, reports, statuses, closes,
    call: (name, input) => session.send[name](input, limits),
    say: (name, input) => session.sendOneWay[name](input, limits),
    push: (name, predicate) => session.subscribe.waitForPush(name, { ...limits, predicate }),
    reach: (wanted) => new Promise((resolve) => session.onStatusChange((status) => status === wanted && resolve())),
    /** Every push of that name from here on. */
    pushes(name) {
      const seen = [];
      session.subscribe.on(name, (body) => seen.push(body));
      return seen;
    },
  };
}

for (const args of [[], ["-wire", "msgpack"]]) {
  test(`chat: every call and push ${args.join(" ")}`, async (t) => {
    const demo = await startDemo(t, built.binary, args);
    const ada = join(t, `${demo.ws}chat/lobby?name=Ada`);
    const alone = await ada.call("listPresence");
    assert.deepEqual(alone.users, [{ userId: alone.selfUserId, displayName: "Ada" }]);

    const joined = ada.push("userJoined");
    const bob = join(t, `${demo.ws}chat/lobby?name=Bob%20%3Cb%3E`);
    const both = await bob.call("listPresence");
    const self = { userId: both.selfUserId, displayName: "Bob <b>" };
    assert.deepEqual(both.users, [...alone.users, self]);
    assert.deepEqual(await joined, self);

    const said = bob.pushes("roomMessage");
    const heard = ada.push("roomMessage");
    const text = "hé😀 <b>&amp;\u2028\u0000 \\ \" \n end";
    assert.deepEqual(await bob.call("sendMessage", { text }), { ok: true });
    assert.equal(said.length, 1, "the push comes before the answer");
    const [row] = said;
    assert.deepEqual(row, { id: row.id, ts: row.ts, userId: self.userId, displayName: self.displayName, text });
    assert.equal(typeof row.id, "string");
    assert.ok(Number.isInteger(row.ts) && row.ts > 1.7e12, `epoch milliseconds: ${row.ts}`);
    assert.deepEqual(await heard, row);

    assert.deepEqual(await ada.call("sendMessage", { text: "😀".repeat(2000) }), { ok: true });
    assert.deepEqual((await ada.call("listHistory")).messages.map((m) => m.text.length), [text.length, 4000]);
    assert.deepEqual((await bob.call("listHistory", { limit: 500 })).messages[0], row);
    assert.deepEqual((await bob.call("listHistory", { limit: 1 })).messages.map((m) => m.displayName), ["Ada"]);

    const ownTyping = bob.pushes("userTyping");
    const typing = ada.push("userTyping");
    await bob.say("typing", { on: true });
    assert.deepEqual(await typing, { ...self, on: true });
    const notTyping = ada.push("userTyping");
    await bob.say("typing", { on: false });
    assert.deepEqual(await notTyping, { ...self, on: false });

    const cleared = bob.push("historyCleared");
    assert.deepEqual(await ada.call("clearHistory"), { ok: true });
    const event = await cleared;
    assert.deepEqual(event, { ts: event.ts, clearedByUserId: alone.selfUserId, clearedByDisplayName: "Ada" });
    assert.ok(event.ts >= row.ts);
    assert.deepEqual(await bob.call("listHistory"), { messages: [] });

    const left = ada.push("userLeft");
    bob.session.close();
    assert.deepEqual(await left, self);
    assert.deepEqual((await ada.call("listPresence")).users, alone.users);
    assert.deepEqual([ownTyping, ada.reports, bob.reports], [[], [], []]);
  });
}

test("tic-tac-toe: a game, its refusals with their codes, a rematch", async (t) => {
  const demo = await startDemo(t, built.binary);
  const room = `${demo.ws}tictactoe/t1`;
  const x = join(t, `${room}?name=Ada`);
  assert.equal((await x.call("whoAmI")).mark, "X");
  await assert.rejects(x.call("move", { cell: 0 }), { code: "waiting_for_opponent" });
  const o = join(t, `${room}?name=Bob`);
  assert.equal((await o.call("whoAmI")).mark, "O");
  const eve = join(t, `${room}?name=Eve`);
  assert.equal((await eve.call("whoAmI")).mark, "");

  await assert.rejects(o.call("move", { cell: 0 }), { code: "not_your_turn", name: "SockaError" });
  await assert.rejects(eve.call("move", { cell: 0 }), { code: "not_a_player" });
  const watched = eve.push("state", (game) => game.board[4] === "X");
  const game = await x.call("move", { cell: 4 });
  assert.deepEqual(game.board, ["", "", "", "", "X", "", "", "", ""]);
  assert.deepEqual([game.turn, game.spectators, "winner" in game, "line" in game], ["O", 1, false, false]);
  assert.deepEqual([game.players.X.displayName, game.players.O.displayName], ["Ada", "Bob"]);
  assert.deepEqual(await watched, game);
  await assert.rejects(o.call("move", { cell: 4 }), { code: "cell_taken" });
  await assert.rejects(o.call("move", { cell: 9 }), { code: "invalid_input", message: /cell/ });
  await assert.rejects(o.call("rematch"), { code: "failed_precondition" });
  for (const [player, cell] of [[o, 0], [x, 3], [o, 1]]) await player.call("move", { cell });
  const won = await x.call("move", { cell: 5 });
  assert.deepEqual([won.winner, won.line], ["X", [3, 4, 5]]);
  await assert.rejects(o.call("move", { cell: 8 }), { code: "game_over" });
  const again = await o.call("rematch");
  assert.deepEqual([again.board.join(""), again.turn], ["", "O"], "who did not begin begins");
  assert.deepEqual(await eve.call("getState"), again);
  assert.deepEqual([x.reports, o.reports, eve.reports], [[], [], []]);
});

test("errors have codes, name the field, and leave the connection as it was", async (t) => {
  const demo = await startDemo(t, built.binary);
  const { call, say, reports, statuses } = join(t, `${demo.ws}chat/lobby?name=Ada`);
  await call("listPresence");
  for (const [name, input, message] of [
    ["sendMessage", {}, /text/],
    ["sendMessage", { text: 1 }, /text/],
    ["sendMessage", { text: "" }, /text/],
    ["sendMessage", { text: " \n " }, /text: must not be blank/],
    ["sendMessage", { text: "x".repeat(2001) }, /text/],
    ["sendMessage", { TEXT: "x" }, /text/],
    ["listHistory", { limit: 501 }, /limit/],
    ["listHistory", { limit: "1" }, /limit/],
  ]) await assert.rejects(call(name, input), { code: "invalid_input", message }, JSON.stringify(input));
  for (const name of ["nothing", "typing2", "isPrototype"]) {
    await assert.rejects(call(name), { code: "unknown_call", message: `Unknown call: ${name}` });
  }
  assert.deepEqual(await call("listHistory"), { messages: [] });
  assert.deepEqual(reports, [], "they were the calls' own");

  // One-way calls: nothing for those that ran, an error that no call waits for otherwise.
  await say("typing", { on: true });
  await say("typing", { on: "yes" });
  await say("nothing");
  await call("listPresence"); // answered after them, as it was sent after them
  assert.deepEqual(reports.map((r) => [r.kind, r.id, r.rpc, r.error.code]), [
    ["clientUnmatchedError", reports[0].id, "typing", "invalid_input"],
    ["clientUnmatchedError", reports[1].id, "nothing", "unknown_call"],
  ]);
  assert.match(reports[0].error.message, /on/);
  assert.deepEqual(statuses, ["open"]);
});

test("too many calls at once are refused with a code, and did not run", async (t) => {
  const demo = await startDemo(t, built.binary);
  const { call, statuses } = join(t, `${demo.ws}chat/lobby?name=Ada`);
  await call("listPresence");
  const results = await Promise.allSettled(Array.from({ length: 3000 }, (_, i) => call("sendMessage", { text: String(i) })));
  const refused = results.filter((r) => r.status === "rejected").map((r) => r.reason);
  assert.ok(refused.length > 0, "none was refused");
  for (const { code, retryAfterMs } of refused) {
    if (code === "rate_limited") assert.ok(retryAfterMs > 0, `come back in ${retryAfterMs} ms`);
    else assert.equal(code, "resource_exhausted"); // too many unanswered ones, should the server be slow
  }
  const accepted = results.flatMap((r, i) => (r.status === "fulfilled" ? [String(i)] : []));
  const watcher = join(t, `${demo.ws}chat/lobby?name=Bob`); // Ada has used up what she may ask
  const { messages } = await watcher.call("listHistory");
  assert.deepEqual(messages.map((m) => m.text), accepted.slice(-500), "what ran is what was answered, in order");
  assert.deepEqual(statuses, ["open"]);
});

test("killed and started again: comes back by itself, nothing is sent twice, subscriptions stay", async (t) => {
  const demo = await startDemo(t, built.binary);
  const ada = join(t, `${demo.ws}chat/lobby?name=Ada`);
  const bob = join(t, `${demo.ws}chat/lobby?name=Bob`);
  const { selfUserId } = await ada.call("listPresence");
  await bob.call("listPresence");
  const seen = bob.pushes("roomMessage");
  await ada.call("sendMessage", { text: "before" });
  await bob.call("listHistory"); // the push has come with it

  const lost = [ada.reach("reconnecting"), bob.reach("reconnecting")];
  assert.equal(await demo.stop("SIGKILL"), null);
  await Promise.all(lost);
  const waiting = ada.call("sendMessage", { text: "while away" });
  const both = ada.push("roomMessage");
  await demo.start();
  assert.deepEqual(await waiting, { ok: true });
  assert.equal((await both).text, "while away");
  await bob.session.waitForOpen({ timeoutMs: DEADLINE });
  await ada.call("sendMessage", { text: "after" });

  const fresh = await ada.call("listPresence");
  assert.notEqual(fresh.selfUserId, selfUserId, "a new session");
  assert.deepEqual(fresh.users.map((u) => u.displayName).sort(), ["Ada", "Bob"]);
  assert.deepEqual((await bob.call("listHistory")).messages.map((m) => m.text), ["while away", "after"]);
  assert.equal(seen[0].text, "before");
  assert.equal(seen.at(-1).text, "after");
  assert.deepEqual(ada.statuses.filter((s) => s === "open").length, 2);
  assert.ok(ada.closes.every(({ code }) => code === 1006), JSON.stringify(ada.closes));
  assert.deepEqual([ada.reports, bob.reports], [[], []]);
});

test("stopped in good order: exit code 0, close code 1001, and the session comes back to the next one", async (t) => {
  const demo = await startDemo(t, built.binary);
  const { session, call, closes, reach } = join(t, `${demo.ws}chat/lobby?name=Ada`);
  await call("listPresence");
  const lost = reach("reconnecting");
  assert.equal(await demo.stop("SIGTERM"), 0);
  await lost;
  assert.equal(closes[0].code, 1001);
  await demo.start();
  await session.waitForOpen({ timeoutMs: DEADLINE });
  assert.deepEqual(await call("listHistory"), { messages: [] });
});

test("refused upgrades: the attempt fails with the HTTP status, and attempts can be limited", async (t) => {
  const demo = await startDemo(t, built.binary);
  class FromElsewhere extends WebSocket {
    constructor(url) {
      super(url, { origin: "https://elsewhere.example" });
    }
  }
  for (const [path, status, options] of [
    ["chat/lobby?name=%20", 400],
    ["chat/lobby?name=%FF", 400],
    ["chat/lobby?wire=xml", 400],
    ["chat/not%20a%20room?name=Ada", 400],
    [`chat/${"x".repeat(129)}?name=Ada`, 400],
    ["chess/lobby?name=Ada", 404],
    ["chat/lobby?name=Ada", 403, { WebSocket: FromElsewhere }],
  ]) {
    const errors = [];
    const { session, closes, statuses } = join(t, demo.ws + path, {
      autoConnect: false,
      reconnect: { initialDelayMs: 1, maxAttempts: 1 },
      onError: (event) => errors.push(event.message),
      ...options,
    });
    await assert.rejects(session.connect({ timeoutMs: DEADLINE }), { code: "closed", message: /1 attempts to reconnect failed/ }, path);
    assert.deepEqual(errors, Array(2).fill(`Unexpected server response: ${status}`), path);
    assert.deepEqual(closes.map(({ code }) => code), [1006, 1006], path);
    assert.deepEqual(statuses, ["connecting", "reconnecting", "closed"], path);
  }
});

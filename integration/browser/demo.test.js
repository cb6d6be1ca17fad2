// The demo as people use it: headless Chromium with two pages, the demo server as a process that is also killed.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test as nodeTest } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { chromium } from "playwright-core";
import { buildDemo, noDemo, startDemo } from "../../js/test/support/demo.js";

const DEADLINE = 30_000; // for anything that a page should come to show; far more than it takes
const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
const skip = existsSync(executablePath) ? noDemo : `needs Chromium: there is none at ${executablePath}; set CHROMIUM to its path`;

/** @type {Awaited<ReturnType<typeof buildDemo>>} */
let built;
/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  if (skip) return;
  built = await buildDemo();
  browser = await chromium.launch({ // in a profile of its own, deleted at the end
    executablePath,
    headless: false, // as the first argument says it
    args: [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
});
after(async () => {
  await browser?.close();
  await built?.remove();
});

const test = (name, run) => nodeTest(name, { skip, timeout: 8 * DEADLINE }, run);

/** Asks `read` until it gives `wanted`; at the deadline says how they differ. */
async function eventually(read, wanted) {
  const end = Date.now() + DEADLINE;
  for (;;) {
    const got = await read();
    try {
      return assert.deepEqual(got, wanted);
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await pause(20);
  }
}

/** A browser's window with its pages, all of them looked after: nothing may go wrong on one that the test did not expect. */
async function openWindow(t, demo, options) {
  const context = await browser.newContext({ baseURL: demo.url, ...options });
  context.setDefaultTimeout(DEADLINE);
  t.after(() => context.close());
  const window = { context, wrong: [], outage: false, sockets: [], open: () => context.newPage() };
  const origin = new URL(demo.url).origin;
  context.on("page", (page) => {
    page.on("pageerror", (error) => window.wrong.push(`uncaught: ${error.stack}`));
    page.on("dialog", (dialog) => {
      window.wrong.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      if (window.outage && /^WebSocket connection to 'ws:\S+' failed: /.test(message.text())) return;
      window.wrong.push(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== origin) window.wrong.push(`request to ${request.url()}`);
    });
    page.on("websocket", (socket) => {
      window.sockets.push(socket.url());
      const frame = ({ payload }) => typeof payload === "string" || window.wrong.push("a binary frame");
      socket.on("framesent", frame);
      socket.on("framereceived", frame);
    });
  });
  return window;
}

/** What a person sees and does, by the page's test ids. */
function person(page) {
  const by = (id) => page.getByTestId(id);
  return {
    page, by,
    /** Through the form, from wherever the page is. */
    async join(kind, room, name) {
      await by(`kind-${kind}`).check({ force: true }); // the label is what shows
      await by("name").fill(name);
      await by("room").fill(room);
      await by("join").click();
      await this.sees("status", "online");
    },
    sees: (id, text) => eventually(() => by(id).textContent(), text),
    names: () => page.locator("[data-testid=user] .who").allTextContents(),
    people(...names) {
      return eventually(this.names, names);
    },
    lines: (...texts) => eventually(() => page.locator("[data-testid=message] .bubble").allTextContents(), texts),
    board: (marks) => eventually(async () => (await page.locator(".cell").evaluateAll((cells) => cells.map((c) => c.dataset.mark || "."))).join(""), marks),
    winning: (...cells) => eventually(() => page.locator(".cell").evaluateAll((all) => all.flatMap((c, i) => (c.classList.contains("won") ? [i] : []))), cells),
    toast: (text) => eventually(() => by("toast").allTextContents(), [text]),
    async say(text) {
      await by("composer").fill(text);
      await by("composer").press("Enter");
    },
    play: (cell) => by(`cell-${cell}`).click(),
    /** Notes every status that the page shows from now on; returns what reads them. */
    async watchStatus() {
      await by("status").evaluate((element) => {
        const seen = (globalThis.statuses = []);
        new MutationObserver(() => element.textContent !== seen.at(-1) && seen.push(element.textContent)).observe(element, { childList: true });
      });
      return () => page.evaluate(() => globalThis.statuses);
    },
  };
}

for (const args of [[], ["-wire", "msgpack"]]) {
  test(`two pages: chat, a game, the server killed and back, stopped ${args.join(" ")}`.trim(), async (t) => {
    const demo = await startDemo(t, built.binary, args);
    const window = await openWindow(t, demo);
    const ada = person(await window.open());
    let bob = person(await window.open());

    await t.test("chat lines both ways, also such that look like HTML", async () => {
      await ada.page.goto("/");
      await ada.join("chat", "tea", "Ada");
      await ada.people("Ada");
      await bob.page.goto("/?kind=chat&room=tea&name=Bob"); // the link that Ada sent, and a name
      await bob.sees("status", "online");
      await ada.people("Ada", "Bob");
      await bob.people("Ada", "Bob");
      const markup = `<img src=x onerror=alert(1)><b>bold</b> &amp; "it's" <script>alert(2)</script>`;
      await ada.say("hello");
      await bob.lines("hello");
      await bob.say(markup);
      for (const { page, lines } of [ada, bob]) {
        await lines("hello", markup);
        assert.equal(await page.locator("[data-testid=messages] :is(img, b, script)").count(), 0);
      }
      await ada.by("composer").fill("by the button");
      await ada.by("send").click();
      for (const { lines } of [ada, bob]) await lines("hello", markup, "by the button");
      assert.equal(await ada.by("composer").inputValue(), "");
    });

    await t.test("typing shows and goes", async () => {
      await bob.by("composer").pressSequentially("hm");
      await ada.sees("typing", "Bob is typing");
      await bob.by("composer").fill("");
      await ada.sees("typing", "");
      await bob.by("composer").pressSequentially("well");
      await ada.sees("typing", "Bob is typing");
      await bob.by("composer").press("Enter");
      await ada.sees("typing", "");
      assert.equal(await bob.by("typing").textContent(), "", "nobody is told of his own");
    });

    await t.test("a reload brings the history back", async () => {
      await bob.by("message").nth(3).waitFor();
      const before = await bob.page.locator(".bubble").allTextContents();
      await bob.page.reload();
      await bob.lines(...before);
      await ada.people("Ada", "Bob");
    });

    await t.test("a closed tab is gone from the list, and back when it is opened again", async () => {
      await bob.page.close();
      await ada.people("Ada");
      bob = person(await window.open());
      await bob.page.goto("/?kind=chat&room=tea&name=Bob");
      await ada.people("Ada", "Bob");
      await bob.sees("status", "online");
    });

    await t.test("clearing the history asks first, then clears it for both", async () => {
      await bob.by("message").nth(3).waitFor();
      await ada.by("clear").click();
      await ada.sees("clear", "Clear it for everybody?");
      assert.equal(await bob.by("message").count(), 4);
      await ada.by("clear").click();
      for (const { lines } of [ada, bob]) await lines();
    });

    await t.test("tic-tac-toe: a game with refused moves, up to the winning line, and a rematch", async () => {
      for (const [who, name] of [[ada, "Ada"], [bob, "Bob"]]) {
        await who.by("leave").click();
        await who.join("tictactoe", "duel", name);
        if (who === ada) await ada.sees("turn", "Waiting for an opponent");
      }
      await ada.sees("turn", "Your turn");
      await bob.sees("turn", "Ada’s turn");
      await bob.play(4);
      await bob.toast("It is not your turn.");
      for (const { board } of [ada, bob]) await board(".........");
      await ada.play(0);
      for (const { board } of [ada, bob]) await board("X........");
      await bob.play(0);
      await bob.toast("That square is taken.");
      let now = "X........";
      for (const [who, cell, mark] of [[bob, 4, "O"], [ada, 1, "X"], [bob, 8, "O"], [ada, 2, "X"]]) {
        await who.sees("turn", "Your turn");
        await who.play(cell);
        now = now.slice(0, cell) + mark + now.slice(cell + 1);
        for (const { board } of [ada, bob]) await board(now);
      }
      for (const { winning } of [ada, bob]) await winning(0, 1, 2);
      await ada.sees("turn", "You won!");
      await bob.sees("turn", "Ada won");
      await bob.by("rematch").click();
      for (const { board, winning, by } of [ada, bob]) {
        await board(".........");
        await winning();
        await by("rematch").waitFor({ state: "hidden" });
      }
      await bob.sees("turn", "Your turn"); // Ada began the last one
      await bob.play(4);
      for (const { board } of [ada, bob]) await board("....O....");
    });

    await t.test("the server killed and started again: both pages come back by themselves", async () => {
      for (const [who, name] of [[ada, "Ada"], [bob, "Bob"]]) {
        await who.by("leave").click();
        await who.join("chat", "tea", name);
      }
      await ada.say("before");
      await bob.lines("before");
      const statuses = await Promise.all([ada, bob].map((who) => who.watchStatus()));
      window.outage = true;
      assert.equal(await demo.stop("SIGKILL"), null);
      for (const { sees } of [ada, bob]) await sees("status", "reconnecting");
      await bob.say("not lost");
      await bob.toast("Not connected. Your text stays here until the room is back.");
      await demo.start();
      for (const read of statuses) await eventually(read, ["reconnecting", "online"]);
      window.outage = false;
      for (const { names } of [ada, bob]) await eventually(async () => (await names()).sort(), ["Ada", "Bob"]); // in whichever order they came
      await ada.lines(); // memory alone: the history went with the server
      assert.equal(await bob.by("composer").inputValue(), "not lost");
      await bob.by("composer").press("Enter");
      await ada.lines("not lost");
      await ada.say("and back");
      for (const { lines } of [ada, bob]) await lines("not lost", "and back");
    });

    await t.test("SIGTERM: exit code 0, and the pages say that they are trying", async () => {
      window.outage = true;
      assert.equal(await demo.stop("SIGTERM"), 0);
      for (const { sees } of [ada, bob]) await sees("status", "reconnecting");
    });

    assert.deepEqual(window.wrong, []);
    assert.ok(window.sockets.length >= 8);
    for (const url of window.sockets) assert.equal(new URL(url).searchParams.get("wire"), "json");
  });
}

test("360 pixels wide: nothing to scroll sideways, everything within reach", async (t) => {
  const demo = await startDemo(t, built.binary);
  const width = 360;
  const window = await openWindow(t, demo, { viewport: { width, height: 640 }, isMobile: true, hasTouch: true });
  const ada = person(await window.open());
  const { page, by } = ada;
  const fits = async (...ids) => {
    assert.equal(await page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth, innerWidth)), width);
    for (const id of ids) {
      const box = await by(id).boundingBox();
      assert.ok(box && box.x >= 0 && box.x + box.width <= width, `${id}: ${JSON.stringify(box)}`);
    }
  };
  const long = "W".repeat(40);
  await page.goto("/");
  await fits("name", "room", "join");
  await ada.join("chat", "r".repeat(128), long);
  await ada.say("unbroken".repeat(40));
  await ada.lines("unbroken".repeat(40));
  await ada.people(long);
  await fits("composer", "send", "status", "leave", "share", "clear");

  const bob = person(await window.open());
  for (const who of [ada, bob]) {
    await who.page.goto(`/?${new URLSearchParams({ kind: "tictactoe", room: "r".repeat(128), name: long })}`);
    await who.sees("status", "online");
  }
  await ada.sees("turn", "Your turn");
  await by("cell-8").tap();
  await ada.board("........X");
  await fits("cell-0", "cell-2", "player-X", "player-O", "status", "leave", "share", "turn");
  assert.deepEqual(window.wrong, []);
});

test("a name or a room that cannot be is told at the form, before anything is opened", async (t) => {
  const demo = await startDemo(t, built.binary);
  const window = await openWindow(t, demo);
  const { page, by } = person(await window.open());
  await page.goto("/");
  await by("name").fill("  ");
  await by("room").fill("a/b");
  await by("join").click();
  await eventually(() => page.locator("#name-error").textContent(), "Please tell the others your name.");
  await eventually(() => page.locator("#room-error").textContent(), "Letters, digits and . _ ~ - only, at most 128 of them.");
  assert.deepEqual([window.sockets, window.wrong], [[], []]);
});

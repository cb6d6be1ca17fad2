// A chat room: messages, who is here, who is typing, the composer.
import { avatar, complain, dayOf, h, timeOf, toast } from "/ui.js";

const HISTORY = 200; // messages asked for on every connect
const MAX_SHOWN = 500; // messages kept on the page
const MAX_TEXT = 2000; // characters that the room takes
const COUNT_FROM = 1800; // characters from which the counter shows
const GROUP_MS = 5 * 60_000; // messages of one person this close together share a head
const TYPING_REPEAT_MS = 3000; // "is typing" is said again this often
const TYPING_IDLE_MS = 4000; // no key for this long: not typing any more
const TYPING_STALE_MS = 8000; // somebody's "is typing" that was never taken back
const CONFIRM_MS = 4000;

/** @param {string} text what the room counts: characters, not UTF-16 units */
const lengthOf = (text) => [...text].length;

/** @param {import("./app.js").Context} context @returns {import("./app.js").View} */
export function mountChat({ session, stage, notice }) {
  stage.append(/** @type {any} */ (document.getElementById("chat-template")).content.cloneNode(true));
  /** @param {string} selector */
  const find = (selector) => /** @type {any} */ (stage.querySelector(selector));
  const list = find(".messages");
  const scroller = find(".scroller");
  const jump = find(".jump");
  const composer = find("#composer");
  const clear = find("[data-testid=clear]");

  /** Every id this page has had; a new connection may bring a new one. */
  const mine = new Set();
  /** @type {Map<string, { userId: string, displayName: string }>} */
  let users = new Map();
  /** The latest row on the page. @type {{ userId: string, ts: number } | undefined} */
  let latest;
  let online = false;

  /* -------------------------------------------------------- messages */

  const atBottom = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 48;
  const toBottom = () => {
    scroller.scrollTop = scroller.scrollHeight;
    jump.hidden = true;
  };
  let pinned = true; // at the bottom before the space changed, as when a phone's keyboard opens
  scroller.addEventListener("scroll", () => {
    pinned = atBottom();
    if (pinned) jump.hidden = true;
  }, { passive: true });
  jump.addEventListener("click", toBottom);
  const resized = new ResizeObserver(() => pinned && toBottom());
  resized.observe(scroller);

  const showEmpty = () => (find(".empty").hidden = list.children.length > 0);

  /** @param {{ id: string, ts: number, userId: string, displayName: string, text: string }} row */
  function append(row) {
    const own = mine.has(row.userId);
    if (!latest || dayOf(latest.ts) !== dayOf(row.ts)) list.append(h("li", { class: "day" }, h("span", {}, dayOf(row.ts))));
    const joined = latest?.userId === row.userId && row.ts - latest.ts < GROUP_MS && !list.lastElementChild?.matches(".day, .event");
    const item = h("li", { class: `message${own ? " own" : ""}${joined ? " joined" : ""}`, "data-testid": "message" });
    if (!joined) {
      if (!own) item.append(avatar(row.displayName));
      item.append(h("p", { class: "head" }, h("strong", {}, own ? "You" : row.displayName), " ", timeOf(row.ts)));
    }
    const bubble = h("p", { class: "bubble" }, row.text);
    bubble.title = new Date(row.ts).toLocaleTimeString();
    item.append(bubble);
    list.append(item);
    latest = row;
  }

  /** A line about the room itself. @param {string} text */
  function event(text) {
    keepBottom(() => {
      list.append(h("li", { class: "event" }, text));
    });
  }

  /** Changes the list and stays at the bottom if that is where the reader was. @param {() => void} change */
  function keepBottom(change, follow = atBottom()) {
    change();
    while (list.children.length > MAX_SHOWN) list.firstElementChild.remove();
    showEmpty();
    if (follow) toBottom();
    return follow;
  }

  /** @param {any[]} rows */
  function showHistory(rows) {
    scroller.setAttribute("aria-live", "off"); // old lines are not read out
    keepBottom(() => {
      list.replaceChildren();
      latest = undefined;
      rows.forEach(append);
    });
    requestAnimationFrame(() => scroller.setAttribute("aria-live", "polite"));
  }

  /* ---------------------------------------------------------- people */

  function showPeople() {
    const everybody = [...users.values()];
    find(".people .count").textContent = String(everybody.length);
    find("[data-testid=presence]").replaceChildren(...everybody.map(({ userId, displayName }) => {
      const item = h("li", { "data-testid": "user" }, avatar(displayName), h("span", { class: "who" }, displayName));
      if (mine.has(userId)) item.append(h("span", { class: "you" }, "you"));
      return item;
    }));
  }

  /** @type {Map<string, { displayName: string, timer: any }>} */
  const typists = new Map();

  /** @param {{ userId: string, displayName: string }} user @param {boolean} on */
  function setTyping({ userId, displayName }, on) {
    clearTimeout(typists.get(userId)?.timer);
    typists.delete(userId);
    if (on && !mine.has(userId)) typists.set(userId, { displayName, timer: setTimeout(() => setTyping({ userId, displayName }, false), TYPING_STALE_MS) });
    showTyping();
  }

  function forgetTyping() {
    for (const { timer } of typists.values()) clearTimeout(timer);
    typists.clear();
    showTyping();
  }

  function showTyping() {
    const names = [...typists.values()].map((typist) => typist.displayName);
    const line = find(".typing");
    line.textContent =
      names.length === 0 ? "" :
      names.length === 1 ? `${names[0]} is typing` :
      names.length === 2 ? `${names[0]} and ${names[1]} are typing` :
      `${names.length} people are typing`;
    line.classList.toggle("on", names.length > 0);
  }

  /* ---------------------------------------------------------- pushes */

  session.subscribe.on("roomMessage", (row) => {
    setTyping(row, false);
    const followed = keepBottom(() => append(row), atBottom() || mine.has(row.userId));
    if (!followed) jump.hidden = false;
    if (!mine.has(row.userId)) notice();
  });
  session.subscribe.on("userJoined", (user) => {
    if (users.has(user.userId)) return;
    users.set(user.userId, user);
    showPeople();
    event(`${user.displayName} came in`);
  });
  session.subscribe.on("userLeft", (user) => {
    setTyping(user, false);
    if (!users.delete(user.userId)) return;
    showPeople();
    event(`${user.displayName} left`);
  });
  session.subscribe.on("historyCleared", ({ clearedByUserId, clearedByDisplayName }) => {
    showHistory([]);
    event(`${mine.has(clearedByUserId) ? "You" : clearedByDisplayName} cleared the history`);
  });
  session.subscribe.on("userTyping", (user) => setTyping(user, user.on));

  /** Asks again for everything: what was pushed while away is not sent again. */
  async function refresh() {
    try {
      const [presence, history] = await Promise.all([session.send.listPresence(), session.send.listHistory({ limit: HISTORY })]);
      mine.add(presence.selfUserId);
      users = new Map(presence.users.map((/** @type {any} */ user) => [user.userId, user]));
      showPeople();
      showHistory(history.messages);
    } catch (error) {
      if (/** @type {any} */ (error).code !== "connection_lost") complain(error);
    }
  }

  /* -------------------------------------------------------- composer */

  let toldTypingAt = 0;
  /** @type {any} */
  let idle;
  function stopTyping() {
    clearTimeout(idle);
    if (toldTypingAt && online) session.sendOneWay.typing({ on: false });
    toldTypingAt = 0;
  }
  function typed() {
    if (composer.value.trim() === "") return stopTyping();
    clearTimeout(idle);
    idle = setTimeout(stopTyping, TYPING_IDLE_MS);
    if (!online || Date.now() - toldTypingAt < TYPING_REPEAT_MS) return;
    toldTypingAt = Date.now();
    session.sendOneWay.typing({ on: true });
  }

  function fit() {
    const length = lengthOf(composer.value.trim());
    const counter = find(".counter");
    counter.textContent = length >= COUNT_FROM ? String(MAX_TEXT - length) : "";
    counter.classList.toggle("over", length > MAX_TEXT);
    find(".send").disabled = length === 0 || length > MAX_TEXT;
    composer.style.height = "auto";
    composer.style.height = `${composer.scrollHeight}px`;
  }

  async function submit() {
    const text = composer.value.trim();
    if (text === "") return;
    if (lengthOf(text) > MAX_TEXT) return toast(`A message has at most ${MAX_TEXT} characters.`);
    if (!online) return toast("Not connected. Your text stays here until the room is back.");
    composer.value = "";
    fit();
    stopTyping();
    try {
      await session.send.sendMessage({ text });
    } catch (error) {
      composer.value = composer.value ? `${text}\n${composer.value}` : text; // nothing typed is ever lost
      fit();
      complain(error, { connection_lost: "The connection broke while sending. Look whether your message arrived before you send it again." });
    }
  }

  composer.addEventListener("input", () => {
    fit();
    typed();
  });
  composer.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  find(".composer").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    submit();
    composer.focus();
  });

  /** @type {any} */
  let unsure;
  const disarm = () => {
    clearTimeout(unsure);
    clear.textContent = "Clear history";
    clear.classList.remove("sure");
  };
  clear.addEventListener("click", async () => {
    if (!clear.classList.contains("sure")) {
      clear.classList.add("sure");
      clear.textContent = "Clear it for everybody?";
      unsure = setTimeout(disarm, CONFIRM_MS);
      return;
    }
    disarm();
    if (!online) return toast("Not connected. The history is as it was.");
    await session.send.clearHistory().catch(complain);
  });

  fit();
  if (matchMedia("(pointer: fine)").matches) composer.focus();

  return {
    online: refresh,
    status(state) {
      online = state === "online";
      toldTypingAt = 0;
      if (!online) forgetTyping();
      composer.placeholder = online ? "Message the room" : state === "offline" ? "Not connected" : "Connecting… you can type already";
    },
    leave() {
      resized.disconnect();
      clearTimeout(idle);
      disarm();
      forgetTyping();
    },
  };
}

// The page's frame: the form to enter a room, the header of a room with its connection, the address bar.
import { SockaSession } from "/socka.js";
import { mountChat } from "/chat.js";
import { mountTicTacToe } from "/tictactoe.js";
import { copy, toast } from "/ui.js";

/**
 * What a view gets: `session` and the place to draw in. It returns what it wants to know.
 * @typedef {{ session: SockaSession, stage: HTMLElement, notice: () => void, share: () => void }} Context
 * @typedef {{ online: () => void, status: (state: string) => void, leave: () => void }} View
 * @typedef {{ kind: string, room: string, name: string }} Place
 */

/** @type {Record<string, { title: string, mount: (context: any) => View }>} */
const KINDS = {
  chat: { title: "Chat", mount: mountChat },
  tictactoe: { title: "Tic-tac-toe", mount: mountTicTacToe },
};
const STATES = { idle: "connecting", connecting: "connecting", open: "online", reconnecting: "reconnecting", closed: "offline" };
const ROOM = /^[A-Za-z0-9._~-]{1,128}$/;
const NAME_KEY = "socka-demo-name";
const MAX_NAME = 40;

/** @param {string} id */
const byId = (id) => /** @type {any} */ (document.getElementById(id));
const form = byId("join-form");

/** The room that is open. @type {{ place: Place, session: SockaSession, view: View, unread: number } | undefined} */
let current;

/* ------------------------------------------------------------ the address */

/** @returns {Place} */
function readAddress() {
  const query = new URLSearchParams(location.search);
  const kind = query.get("kind") ?? "";
  return { kind: Object.hasOwn(KINDS, kind) ? kind : "chat", room: query.get("room") ?? "", name: (query.get("name") ?? "").trim() };
}

/** @param {Partial<Place>} place */
function address(place) {
  return `/?${new URLSearchParams(/** @type {Record<string, string>} */ (place))}`;
}

/** The browser may refuse storage; then the name is asked for again. @param {string} [name] to keep */
function storedName(name) {
  try {
    if (name) localStorage.setItem(NAME_KEY, name);
    return localStorage.getItem(NAME_KEY) ?? "";
  } catch {
    return "";
  }
}

function route() {
  leave();
  const place = readAddress();
  if (place.name && place.name.length <= MAX_NAME && ROOM.test(place.room)) enter(place);
  else showLobby(place);
}

/* --------------------------------------------------------------- the form */

/** @param {Place} place */
function showLobby({ kind, room, name }) {
  byId("lobby").hidden = false;
  form.elements.kind.value = kind;
  form.elements.name.value = name || storedName();
  form.elements.room.value = room || "lobby";
  document.title = "Socka";
  complainAbout("name", "");
  complainAbout("room", "");
  if (matchMedia("(pointer: fine)").matches) (form.elements.name.value ? form.querySelector(".primary") : form.elements.name).focus();
}

/** @param {string} field @param {string} problem */
function complainAbout(field, problem) {
  byId(`${field}-error`).textContent = problem;
  form.elements[field].toggleAttribute("aria-invalid", problem !== "");
}

form.addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  const name = form.elements.name.value.trim();
  const room = form.elements.room.value.trim().replace(/\s+/g, "-");
  complainAbout("name", name ? "" : "Please tell the others your name.");
  complainAbout("room", ROOM.test(room) ? "" : "Letters, digits and . _ ~ - only, at most 128 of them.");
  const wrong = form.querySelector("[aria-invalid]");
  if (wrong) return wrong.focus();
  storedName(name);
  history.pushState(null, "", address({ kind: form.elements.kind.value, room, name }));
  route();
});

byId("random-room").addEventListener("click", () => {
  /** @param {string} words */
  const pick = (words) => words.split(" ")[crypto.getRandomValues(new Uint32Array(1))[0] % words.split(" ").length];
  const adjective = pick("amber brave calm early gentle hidden lucky mellow quiet silver sunny tidy velvet wild");
  const noun = pick("badger comet fern harbor heron lantern maple meadow otter pebble raven river sparrow willow");
  form.elements.room.value = `${adjective}-${noun}-${pick("2 3 4 5 6 7 8 9")}${pick("2 3 4 5 6 7 8 9")}`;
  complainAbout("room", "");
});

/* --------------------------------------------------------------- the room */

/** @param {Place} place */
function enter(place) {
  const { kind, room, name } = place;
  const { title, mount } = KINDS[kind];
  byId("lobby").hidden = true;
  byId("room-view").hidden = false;
  byId("room-name").textContent = room;
  byId("room-kind").textContent = title;

  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const url = `${scheme}//${location.host}/ws/${kind}/${encodeURIComponent(room)}?${new URLSearchParams({ name })}`;
  const session = new SockaSession({
    url,
    autoConnect: false, // the view subscribes first
    onClose: ({ code, reason }) => {
      byId("ended-text").textContent = `The room has closed this connection (${reason || `code ${code}`}).`;
    },
  });
  const view = mount({ session, stage: byId("stage"), notice, share });
  current = { place, session, view, unread: 0 };

  session.onStatusChange((status) => {
    const state = STATES[status];
    byId("status").textContent = state;
    byId("status").parentElement.dataset.state = state;
    byId("ended").hidden = status !== "closed";
    view.status(state);
    if (status === "open") view.online();
  });
  session.connect();
  showTitle();
}

function leave() {
  byId("room-view").hidden = true;
  if (!current) return;
  const { session, view } = current;
  current = undefined;
  view.leave();
  session.close();
  byId("stage").replaceChildren();
}

/** Something happened that a reader in another tab would want to know. */
function notice() {
  if (!current || !document.hidden) return;
  current.unread++;
  showTitle();
}

function showTitle() {
  if (!current) return;
  const { place, unread } = current;
  document.title = `${unread ? `(${unread}) ` : ""}${place.room} · Socka`;
}

async function share() {
  if (!current) return;
  const { kind, room } = current.place;
  const link = new URL(address({ kind, room }), location.href).href;
  toast((await copy(link)) ? "Link copied. Send it to somebody." : link);
}

byId("share").addEventListener("click", share);
byId("rejoin").addEventListener("click", () => current?.session.connect());
byId("leave").addEventListener("click", (/** @type {MouseEvent} */ event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || !current) return;
  event.preventDefault();
  const { kind, room } = current.place;
  history.pushState(null, "", address({ kind, room }));
  route();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden || !current) return;
  current.unread = 0;
  showTitle();
});
addEventListener("popstate", route);
route();

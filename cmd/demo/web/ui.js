// Small things that every view needs: elements, toasts, names, times.

/**
 * An element with properties and children; strings become text, never markup.
 * @param {string} tag
 * @param {Record<string, any>} [props] `class`, `data-…`, `aria-…` and `role` are attributes, everything else a property
 * @param {...(Node | string)} children
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "class" || name === "role" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** An icon or mark of the page's sprite. @param {string} id @param {Record<string, string>} [attributes] */
export function svg(id, attributes = {}) {
  const namespace = "http://www.w3.org/2000/svg";
  const element = document.createElementNS(namespace, "svg");
  element.setAttribute("aria-hidden", "true");
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(document.createElementNS(namespace, "use"));
  element.firstElementChild?.setAttribute("href", `#${id}`);
  return element;
}

const TOAST_MS = 6000;

/** Says something in passing, in place of what was said before. @param {string} text */
export function toast(text) {
  const item = h("p", { class: "toast", "data-testid": "toast" }, text);
  item.addEventListener("click", () => item.remove());
  document.getElementById("toasts")?.replaceChildren(item);
  setTimeout(() => item.remove(), TOAST_MS);
}

const SENTENCES = {
  connection_lost: "The connection broke before the room could answer.",
  deadline_exceeded: "The room takes too long to answer. Please try again.",
  rate_limited: "That was a little fast. Wait a moment and try again.",
  unavailable: "The room cannot take this right now. Please try again.",
  outcome_unknown: "The room could not say whether that worked.",
  internal: "Something went wrong in the room.",
};

/**
 * Shows an error as a sentence: one of `sentences` by its code, or what the server said.
 * @param {any} error @param {Record<string, string>} [sentences]
 */
export function complain(error, sentences = {}) {
  if (error?.code === "closed") return; // the header says so already
  toast(sentences[error?.code] ?? SENTENCES[error?.code] ?? error?.message ?? String(error));
}

/** A hue of 0 to 359 that stays with a name. @param {string} name */
export function hueOf(name) {
  let hash = 7;
  for (const char of name) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return Math.round(hash * 137.508) % 360; // the golden angle keeps neighbours apart
}

/** A round badge with a name's first letters. @param {string} name */
export function avatar(name) {
  const words = name.trim().split(/\s+/);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]].map((word) => [...word][0]) : [[...words[0]][0]];
  const element = h("span", { class: "avatar", "aria-hidden": "true" }, letters.join("").toUpperCase());
  element.style.setProperty("--hue", String(hueOf(name)));
  return element;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

/** A `<time>` of epoch milliseconds, shown as hours and minutes. @param {number} ts */
export function timeOf(ts) {
  const moment = new Date(ts);
  return h("time", { dateTime: moment.toISOString(), title: full.format(moment) }, clock.format(moment));
}

/** "Today", "Yesterday" or the date of epoch milliseconds. @param {number} ts */
export function dayOf(ts) {
  const day = new Date(ts).toDateString();
  const yesterday = new Date();
  yesterday.setDate(yesterday.getDate() - 1);
  if (day === new Date().toDateString()) return "Today";
  return day === yesterday.toDateString() ? "Yesterday" : date.format(new Date(ts));
}

/** Puts text on the clipboard; false when the browser does not let us. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

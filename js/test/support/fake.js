// A WebSocket class and timers that do only what a test tells them.

/** Virtual time: nothing runs until advance(). */
export class FakeTimers {
  now = 0;
  #next = 1;
  #timers = new Map();

  setTimeout = (run, ms) => {
    const id = this.#next++;
    this.#timers.set(id, { at: this.now + ms, run });
    return id;
  };

  clearTimeout = (id) => void this.#timers.delete(id);

  /** The delays of what is pending, in milliseconds from now. */
  get pending() {
    return [...this.#timers.values()].map(({ at }) => at - this.now).sort((a, b) => a - b);
  }

  advance(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = due[1].at;
      due[1].run();
    }
    this.now = end;
  }
}

/** Counts its listeners, so that a test can see that none is left. */
export class CountingTarget extends EventTarget {
  #listeners = new Set();

  addEventListener(type, listener, options) {
    this.#listeners.add(`${type} ${keyOf(listener)}`);
    super.addEventListener(type, listener, options);
  }

  removeEventListener(type, listener) {
    this.#listeners.delete(`${type} ${keyOf(listener)}`);
    super.removeEventListener(type, listener);
  }

  get listeners() {
    return this.#listeners.size;
  }

  fire(type, fields = {}) {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}

const keys = new WeakMap();
let lastKey = 0;
function keyOf(listener) {
  if (!keys.has(listener)) keys.set(listener, ++lastKey);
  return keys.get(listener);
}

/** A new class per test; `sockets` holds what was constructed, in order. */
export function fakeWebSocket() {
  return class FakeWebSocket extends CountingTarget {
    static sockets = [];
    static get last() {
      return this.sockets.at(-1);
    }

    readyState = 0;
    sent = [];
    closedWith = undefined;

    constructor(url) {
      super();
      this.url = url;
      FakeWebSocket.sockets.push(this);
    }

    send(text) {
      this.sent.push(JSON.parse(text));
    }

    close(code, reason) {
      if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) throw new RangeError(`bad close code ${code}`);
      this.closedWith = { code, reason };
      this.readyState = 2;
    }

    // What the other side does.
    accept() {
      this.readyState = 1;
      this.fire("open");
    }

    drop(code = 1006, reason = "") {
      this.readyState = 3;
      this.fire("close", { code, reason, wasClean: code !== 1006 });
    }

    receive(frame) {
      this.fire("message", { data: typeof frame === "string" ? frame : JSON.stringify(frame) });
    }

    respond(request, body) {
      this.receive({ socka: "serverResponse", v: 1, id: request.id, rpc: request.rpc, body });
    }

    push(event, body) {
      this.receive({ socka: "serverEvent", v: 1, event, body });
    }
  };
}

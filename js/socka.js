// @ts-check
/**
 * The browser and Node client for socka rooms: one ES module without dependencies.
 * It speaks the socka v1 wire of the TypeScript library `@firtoz/socka`, in JSON.
 *
 * ```js
 * import { SockaSession } from "@gosocka/client";
 *
 * const session = new SockaSession({ url: "ws://localhost:3450/ws/chat/lobby?name=Ada" });
 * session.subscribe.on("roomMessage", (row) => console.log(row.displayName, row.text));
 * await session.send.sendMessage({ text: "hello" });
 * ```
 *
 * What a caller may rely on:
 * - Calls leave in the order in which they were made. A call made while there is no
 *   connection waits for one; a call that was sent is never sent twice.
 * - Pushes and answers are handled in the order of arrival, also with asynchronous schemas.
 * - Every returned promise settles: with the answer, with the server's error, when its
 *   connection is lost, or when the session ends.
 * - Ids are `<call>-<n>`; n counts up per session object and does not restart on reconnect.
 *
 * @module
 */

const WIRE_VERSION = 1;
const OPEN = 1; // WebSocket.OPEN, also of sockets that lack the constants
const LONGEST_TIMER = 2 ** 31 - 1;
const DEFAULT_MAX_QUEUED_CALLS = 1000;
const CONTROL_PREFIX = "socka:";

/**
 * Names that cannot be calls: they would make `session.send` look like a promise or
 * clash with the shape of every object.
 */
export const RESERVED_CALL_NAMES = Object.freeze([
  "then", "catch", "finally", "constructor", "toString", "valueOf", "toLocaleString",
  "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "__proto__",
]);

/* ------------------------------------------------------------------ types */

/** @typedef {{ readonly message: string, readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined }} SchemaIssue */
/** @typedef {{ readonly value: any, readonly issues?: undefined } | { readonly issues: ReadonlyArray<SchemaIssue> }} SchemaResult */
/**
 * The part of Standard Schema v1 that is used here; Zod, Valibot and ArkType schemas fit.
 * @typedef {{ readonly "~standard": { readonly validate: (value: unknown) => SchemaResult | Promise<SchemaResult>, readonly types?: { readonly input: any, readonly output: any } | undefined } }} StandardSchema
 */
/** @template S @typedef {S extends StandardSchema ? NonNullable<S["~standard"]["types"]>["input"] : never} InferInput */
/** @template S @typedef {S extends StandardSchema ? NonNullable<S["~standard"]["types"]>["output"] : never} InferOutput */
/** A call without `output` is one-way. @typedef {{ readonly input?: StandardSchema, readonly output?: StandardSchema }} CallDef */
/** @typedef {{ readonly calls: Readonly<Record<string, CallDef>>, readonly pushes?: Readonly<Record<string, StandardSchema>> }} SockaContract */
/** How long to wait at most: `timeoutMs` in milliseconds (default: no limit), `signal` to give up. @typedef {{ timeoutMs?: number, signal?: AbortSignal }} WaitOptions */

/** @template D @typedef {D extends { output: StandardSchema } ? Promise<InferOutput<D["output"]>> : Promise<void>} CallResult */
/** @template D @template R @typedef {D extends { input: StandardSchema } ? (input: InferInput<D["input"]>, options?: WaitOptions) => R : (input?: Record<string, never>, options?: WaitOptions) => R} CallFunction */
/** @template C @typedef {C extends SockaContract ? { readonly [K in keyof C["calls"]]: CallFunction<C["calls"][K], CallResult<C["calls"][K]>> } : { readonly [name: string]: (input?: object, options?: WaitOptions) => Promise<any> }} SendMap */
/** @template C @typedef {C extends SockaContract ? { readonly [K in keyof C["calls"]]: CallFunction<C["calls"][K], Promise<void>> } : { readonly [name: string]: (input?: object, options?: WaitOptions) => Promise<void> }} SendOneWayMap */
/** @template C @typedef {C extends { pushes: infer P } ? keyof P & string : C extends SockaContract ? never : string} PushName */
/** @template C @template {string} K @typedef {C extends { pushes: infer P } ? (K extends keyof P ? InferOutput<P[K]> : never) : any} PushPayload */
/** @template C @typedef {{ [K in PushName<C>]?: (payload: PushPayload<C, K>) => unknown }} PushHandlers */
/**
 * Subscriptions to pushes.
 * - `on` calls `handler` for every push of that name and returns a function that ends it. The same function counts once per name.
 * - `once` does so for the next push only; `off` ends either.
 * - `waitForPush` resolves with the next push that `predicate` accepts (default: any). It outlives reconnects; it rejects
 *   with code `deadline_exceeded` after `timeoutMs`, with the signal's reason, or with code `closed` when the session ends.
 * @template C
 * @typedef {object} Subscribe
 * @property {<K extends PushName<C>>(name: K, handler: (payload: PushPayload<C, K>) => unknown) => () => void} on
 * @property {<K extends PushName<C>>(name: K, handler: (payload: PushPayload<C, K>) => unknown) => () => void} once
 * @property {<K extends PushName<C>>(name: K, handler: (payload: PushPayload<C, K>) => unknown) => void} off
 * @property {<K extends PushName<C>>(name: K, options?: WaitOptions & { predicate?: (payload: PushPayload<C, K>) => boolean }) => Promise<PushPayload<C, K>>} waitForPush
 */

/**
 * - `idle`: not opened yet (`autoConnect: false`)
 * - `connecting`: the first attempt is under way
 * - `open`: usable
 * - `reconnecting`: lost, or never reached; trying again, or waiting to
 * - `closed`: ended, by `close()`, by a close code that says so, or because attempts ran out
 * @typedef {"idle" | "connecting" | "open" | "reconnecting" | "closed"} SockaStatus
 */
/** What a close event carries. @typedef {{ readonly code: number, readonly reason: string, readonly wasClean: boolean }} CloseInfo */
/**
 * What went wrong outside any call:
 * - `clientEventListener`: a push handler threw or rejected
 * - `clientEventValidation`: a push failed its schema and was not delivered
 * - `clientFrame`: a message that is not a socka v1 server frame
 * - `clientUnmatchedResponse`: an answer to an id that this session never issued
 * - `clientUnmatchedError`: a server error that no call waits for: of a one-way call, or of one given up
 * - `clientHook`: `onOpen`, `onClose`, `onError` or a status listener threw
 * @typedef {{ kind: "clientEventListener" | "clientEventValidation", eventName: string, error: unknown }
 *   | { kind: "clientFrame", error: unknown }
 *   | { kind: "clientUnmatchedResponse" | "clientUnmatchedError", id: string, rpc: string | undefined, error: unknown }
 *   | { kind: "clientHook", error: unknown }} SockaReport
 */
/**
 * The delay before attempt n is min(`maxDelayMs`, `initialDelayMs` · `factor`^(n−1)), spread by ± `jitter` of itself.
 * @typedef {object} ReconnectOptions
 * @property {boolean} [enabled] Default true.
 * @property {number} [initialDelayMs] Default 1000.
 * @property {number} [maxDelayMs] Default 30000.
 * @property {number} [factor] Default 2.
 * @property {number} [jitter] A fraction of the delay, 0 to 1. Default 0.2.
 * @property {number} [maxAttempts] Failures in a row after which the session ends. Default: no limit.
 * @property {number} [stableAfterMs] A connection that stayed open for this long starts n again at 1. Default 5000.
 */
/** What is used of a WebSocket. @typedef {Pick<WebSocket, "send" | "close" | "readyState" | "addEventListener" | "removeEventListener">} SocketLike */
/** @typedef {new (url: string) => any} SocketConstructor */
/** @typedef {{ setTimeout: (run: () => void, ms: number) => any, clearTimeout: (timer: any) => void }} Timers */
/**
 * Either `url` or `webSocket` is required. With `webSocket` alone the session lives as long as that socket.
 * @template {SockaContract | undefined} [C=undefined]
 * @typedef {object} SockaSessionOptions
 * @property {string | URL} [url] The room's upgrade URL. `wire=json` is added to its query unless it has a `wire` already; then it stays as it is on every reconnect.
 * @property {SocketLike} [webSocket] A prepared socket, to be used first. For one that is already open `onOpen` is not called.
 * @property {C} [contract] Schemas to check inputs, outputs and pushes against; also fixes which calls and pushes exist.
 * @property {"json"} [wireFormat] Default "json", the only one so far.
 * @property {boolean} [autoConnect] Default true; false waits for `connect()` or the first call.
 * @property {(value: unknown) => string} [serializeJson] Default JSON.stringify; gets the whole envelope.
 * @property {(text: string) => unknown} [deserializeJson] Default JSON.parse.
 * @property {(event?: unknown) => void} [onOpen] Every time a connection opens.
 * @property {(event: CloseInfo) => void} [onClose] Every time a connection closes, or an attempt fails.
 * @property {(event: unknown) => void} [onError] Every time the WebSocket reports an error; a close follows.
 * @property {PushHandlers<C>} [pushHandlers] As `session.subscribe.on` for each.
 * @property {(report: SockaReport) => void} [reportError] Failures outside any call. Default console.error.
 * @property {ReconnectOptions} [reconnect]
 * @property {number} [connectTimeoutMs] How long one attempt may take before it counts as failed. Default 20000.
 * @property {number} [maxQueuedCalls] Calls that may wait for a connection; more are refused with code `unavailable`. Default 1000.
 * @property {SocketConstructor} [WebSocket] Default globalThis.WebSocket; in Node 20 pass the one of the `ws` package.
 * @property {Timers} [timers] Default the global ones.
 * @property {() => number} [random] Default Math.random; spreads the reconnect delay.
 */

/* ----------------------------------------------------------------- errors */

/**
 * The error of a call, from the server or from this client. Codes that this client gives:
 * `connection_lost` (sent, the connection went before the answer: it may have run), `closed` (the session has ended; not
 * sent, unless it was under way when `close()` was called), `unavailable` (too many calls wait; not sent), `deadline_exceeded` (`timeoutMs` passed), `invalid_input`
 * (not sent), `invalid_output` (the answer fails its schema), `protocol_error` (the answer is not one to this call).
 */
export class SockaError extends Error {
  /**
   * @param {string} message
   * @param {{ code?: string | undefined, data?: unknown, retryAfterMs?: number | undefined, cause?: unknown }} [details]
   */
  constructor(message, details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "SockaError";
    /** What to decide by; undefined when the server sent none. @type {string | undefined} */
    this.code = details.code;
    /** Whatever the server attached. @type {any} */
    this.data = details.data;
    /** The server's hint when to try again, in milliseconds. @type {number | undefined} */
    this.retryAfterMs = details.retryAfterMs;
  }
}

/**
 * Whether a connection that ended with this close code may be opened again. 4400 to 4499 say "do not come back"
 * (kicked, refused, not allowed); everything else, 4500 to 4599, 1001, 1006, 1011, 1012 and 1013 included, is passing.
 * @param {number} code
 */
export function shouldReconnect(code) {
  return !(code >= 4400 && code <= 4499);
}

/** @param {SockaReport} report */
function defaultReportError(report) {
  const about = "eventName" in report ? ` ${report.eventName}` : "id" in report ? ` ${report.id}` : "";
  console.error(`socka: ${report.kind}${about}:`, report.error);
}

/* --------------------------------------------------------------- contract */

/**
 * Checks a contract's names and returns it; keeps its literal types. Throws TypeError for a reserved or empty name
 * and for one that begins with `socka:`.
 * @template {SockaContract} C
 * @param {C} contract
 * @returns {C}
 */
export function defineSocka(contract) {
  for (const name of Object.keys(contract.calls)) checkName("call", name);
  for (const name of Object.keys(contract.pushes ?? {})) checkName("push", name);
  return contract;
}

/** @param {"call" | "push"} what @param {string} name */
function checkName(what, name) {
  if (name === "" || name.startsWith(CONTROL_PREFIX) || (what === "call" && RESERVED_CALL_NAMES.includes(name))) {
    throw new TypeError(`socka: ${JSON.stringify(name)} cannot be the name of a ${what}: it is ${name === "" ? "empty" : "reserved"}; choose another`);
  }
}

/**
 * Hands the schema's result to `then`, at once when the schema answers at once.
 * @template T
 * @param {StandardSchema | undefined} schema
 * @param {unknown} value
 * @param {(value: any, problem: string | undefined) => T} then
 * @returns {T | Promise<T>}
 */
function validate(schema, value, then) {
  if (!schema) return then(value, undefined);
  /** @param {SchemaResult} result */
  const judge = (result) => (result.issues ? then(undefined, result.issues.map(issueText).join("; ")) : then(result.value, undefined));
  /** @param {unknown} error */
  const failed = (error) => then(undefined, `the schema itself failed: ${error instanceof Error ? error.message : error}`);
  let result;
  try {
    result = schema["~standard"].validate(value);
  } catch (error) {
    return failed(error);
  }
  return isThenable(result) ? result.then(judge, failed) : judge(result);
}

/** @param {SchemaIssue} issue */
function issueText({ message, path }) {
  if (!path?.length) return message;
  return `${path.map((step) => String(typeof step === "object" ? step.key : step)).join(".")}: ${message}`;
}

/** @param {any} value @returns {value is Promise<any>} */
function isThenable(value) {
  return typeof value?.then === "function";
}

/* ----------------------------------------------------------------- frames */

/**
 * A server's message, taken apart; `malformed` says why it is none.
 * @typedef {{ kind: "response", id: string, rpc: string, body: unknown }
 *   | { kind: "error", id: string, rpc: string | undefined, error: SockaError }
 *   | { kind: "event", name: string, body: unknown }
 *   | { kind: "malformed", id: string | undefined, error: SockaError }} ServerFrame
 */

/**
 * @param {unknown} data
 * @param {(text: string) => any} deserialize
 * @returns {ServerFrame}
 */
function decodeFrame(data, deserialize) {
  /** @type {string | undefined} */
  let id;
  /** @param {string} why @param {unknown} [cause] @returns {ServerFrame} */
  const malformed = (why, cause) => ({ kind: "malformed", id, error: new SockaError(`malformed frame: ${why}`, { code: "protocol_error", cause }) });
  if (typeof data !== "string") return malformed("a binary message on a JSON connection");
  let frame;
  try {
    frame = deserialize(data);
  } catch (cause) {
    return malformed("not JSON", cause);
  }
  if (typeof frame !== "object" || frame === null || Array.isArray(frame)) return malformed("not an object");
  if (frame.v !== WIRE_VERSION) return malformed(`version ${JSON.stringify(frame.v)} instead of ${WIRE_VERSION}`);
  if (typeof frame.id === "string") id = frame.id;
  const rpc = typeof frame.rpc === "string" ? frame.rpc : undefined;
  switch (frame.socka) {
    case "serverResponse":
      if (id === undefined || rpc === undefined) return malformed("a serverResponse without a string id and rpc");
      return { kind: "response", id, rpc, body: frame.body };
    case "serverError": {
      if (id === undefined || typeof frame.error !== "string") return malformed("a serverError without a string id and error");
      const code = typeof frame.code === "string" ? frame.code : undefined;
      const retryAfterMs = typeof frame.retryAfter === "number" ? frame.retryAfter : undefined;
      return { kind: "error", id, rpc, error: new SockaError(frame.error, { code, data: frame.data, retryAfterMs }) };
    }
    case "serverEvent":
      if (typeof frame.event !== "string") return malformed("a serverEvent without a string event");
      return { kind: "event", name: frame.event, body: frame.body };
    default:
      return malformed(`unknown kind ${JSON.stringify(frame.socka)}`);
  }
}

/* ---------------------------------------------------------------- helpers */

/**
 * The URL with `wire=json` in its query: a server may speak msgpack to those who ask for nothing. One that knows no such
 * parameter, as the TypeScript library's own, ignores it. A URL that says `wire` itself is left alone, and so is every
 * other character: some servers sign theirs.
 * @param {string} url
 */
function askForJson(url) {
  const [, beforeHash, hash] = /** @type {RegExpMatchArray} */ (url.match(/^([^#]*)(.*)$/s));
  const at = beforeHash.indexOf("?");
  const query = at < 0 ? "" : beforeHash.slice(at + 1);
  if (new URLSearchParams(query).has("wire")) return url;
  return `${beforeHash}${at < 0 ? "?" : query === "" || query.endsWith("&") ? "" : "&"}wire=json${hash}`;
}

/** Runs steps one after the other: at once while none of them is asynchronous. Steps do not throw. */
class InOrder {
  /** @type {Promise<unknown> | undefined} */
  #tail;

  /** @param {() => unknown} step */
  run(step) {
    const result = this.#tail ? this.#tail.then(step) : step();
    if (!isThenable(result)) return;
    const tail = result.then(() => {
      if (this.#tail === tail) this.#tail = undefined;
    });
    this.#tail = tail;
  }
}

/** A promise that settles once and then lets go of its timer, its signal and whoever holds it. */
class Deferred {
  settled = false;
  /** Called once, when it settles. @type {() => void} */
  release = () => {};
  #detach = () => {};
  /** @type {(value?: any) => void} */ #resolve;
  /** @type {(error: unknown) => void} */ #reject;

  /**
   * @param {Timers} timers
   * @param {WaitOptions} options
   * @param {string} what for the message of a timeout
   */
  constructor(timers, options, what) {
    this.#resolve = this.#reject = () => {};
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { timeoutMs, signal } = options;
    if (signal?.aborted) {
      this.reject(signal.reason);
      return;
    }
    const timer = timeoutMs === undefined ? undefined : timers.setTimeout(() => {
      this.reject(new SockaError(`${what}: nothing within ${timeoutMs} ms`, { code: "deadline_exceeded" }));
    }, Math.min(timeoutMs, LONGEST_TIMER));
    const abort = () => this.reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    this.#detach = () => {
      if (timer !== undefined) timers.clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
  }

  /** A rejection that nobody looks at is not an unhandled one. */
  mayBeIgnored() {
    this.promise.catch(() => {});
  }

  /** @param {unknown} [value] */
  resolve(value) {
    if (this.#finish()) this.#resolve(value);
  }

  /** @param {unknown} error */
  reject(error) {
    if (this.#finish()) this.#reject(error);
  }

  #finish() {
    if (this.settled) return false;
    this.settled = true;
    this.#detach();
    this.release();
    return true;
  }
}

/** @typedef {{ id: string, rpc: string, text: string, oneWay: boolean, output: StandardSchema | undefined, deferred: Deferred }} Call */

/* ---------------------------------------------------------------- session */

/**
 * One client's membership in a room, over as many connections as it takes.
 * @template {SockaContract | undefined} [C=undefined]
 */
export class SockaSession {
  /**
   * The calls: `session.send.NAME(input, { timeoutMs, signal })` resolves with the output, or once sent for a call that
   * the contract declares without output. Without a contract every name is a call.
   * @type {SendMap<C>}
   */
  send;
  /**
   * As `send`, for one-way calls: resolves once the call was handed to the connection. An error that the server sends
   * later goes to `reportError`. The promise may be ignored: its rejection is never an unhandled one.
   * @type {SendOneWayMap<C>}
   */
  sendOneWay;
  /** @type {Subscribe<C>} */
  subscribe;

  /** @type {SockaSessionOptions<C>} */ #options;
  /** @type {SockaContract | undefined} */ #contract;
  /** @type {string | undefined} */ #url;
  /** @type {SocketConstructor} */ #WebSocket;
  /** @type {Required<ReconnectOptions>} */ #reconnect;
  /** @type {Timers} */ #timers;
  /** @type {SockaStatus} */ #status = "idle";
  /** Why the session is closed. @type {SockaError | undefined} */ #ended;
  #closedHere = false;
  /** @type {SocketLike | undefined} */ #socket;
  #detachSocket = () => {};
  #failures = 0;
  #cancelBackoff = () => {};
  /** @type {any} */ #connectTimer;
  /** @type {any} */ #stableTimer;
  #issued = 0;
  #outbound = new InOrder();
  #inbound = new InOrder();
  /** Waiting for a connection, in order. @type {Call[]} */ #queue = [];
  /** Sent and unanswered, by id. @type {Map<string, Call>} */ #pending = new Map();
  /** connect() and waitForOpen(). @type {Set<Deferred>} */ #openWaiters = new Set();
  /** waitForPush(). @type {Set<Deferred>} */ #pushWaiters = new Set();
  /** @type {Map<string, Map<(payload: any) => unknown, { once: boolean }>>} */ #listeners = new Map();
  /** @type {Set<(status: SockaStatus) => void>} */ #statusListeners = new Set();

  /** @param {SockaSessionOptions<C>} options */
  constructor(options) {
    const { url, webSocket, contract, wireFormat = "json", autoConnect = true, reconnect = {}, pushHandlers = {} } = options;
    if (wireFormat !== "json") {
      throw new TypeError(`socka: wireFormat ${JSON.stringify(wireFormat)} is not supported by this client; leave it out or use "json"`);
    }
    if (url === undefined && !webSocket) throw new TypeError("socka: SockaSession needs a url or a webSocket");
    const Constructor = options.WebSocket ?? globalThis.WebSocket;
    if (url !== undefined && !Constructor) {
      throw new TypeError("socka: this environment has no WebSocket; pass one as options.WebSocket (in Node 20, the one of the ws package)");
    }
    this.#options = options;
    this.#contract = contract && defineSocka(contract);
    this.#url = url === undefined ? undefined : askForJson(String(url));
    this.#WebSocket = Constructor;
    this.#timers = options.timers ?? { setTimeout: (run, ms) => setTimeout(run, ms), clearTimeout: (timer) => clearTimeout(timer) };
    this.#reconnect = {
      enabled: (reconnect.enabled ?? true) && url !== undefined,
      initialDelayMs: reconnect.initialDelayMs ?? 1000,
      maxDelayMs: reconnect.maxDelayMs ?? 30_000,
      factor: reconnect.factor ?? 2,
      jitter: reconnect.jitter ?? 0.2,
      maxAttempts: reconnect.maxAttempts ?? Infinity,
      stableAfterMs: reconnect.stableAfterMs ?? 5000,
    };
    this.send = this.#callMap(false);
    this.sendOneWay = this.#callMap(true);
    this.subscribe = this.#makeSubscribe();
    for (const [name, handler] of Object.entries(/** @type {Record<string, any>} */ (pushHandlers))) {
      if (handler) this.#listen(name, handler, false);
    }
    if (webSocket) this.#adopt(webSocket);
    else if (autoConnect) this.#open();
  }

  /** @returns {SockaStatus} */
  get status() {
    return this.#status;
  }

  /** Whether a call would be sent at once. */
  get ready() {
    return this.#status === "open";
  }

  /**
   * Calls `listener` with every new status; returns a function that ends it.
   * @param {(status: SockaStatus) => void} listener
   * @returns {() => void}
   */
  onStatusChange(listener) {
    this.#statusListeners.add(listener);
    return () => void this.#statusListeners.delete(listener);
  }

  /**
   * Opens the connection if there is none and resolves once it is open, reconnects included. Also starts a session again
   * that the server or `maxAttempts` ended; one that `close()` ended rejects with code `closed`. The promise may be ignored.
   * @param {WaitOptions} [options]
   * @returns {Promise<void>}
   */
  connect(options) {
    if (this.#ended && !this.#closedHere && this.#url !== undefined) {
      this.#ended = undefined;
      this.#failures = 0;
      this.#status = "idle";
    }
    const opened = this.waitForOpen(options);
    if (this.#status === "idle") this.#tryOpen();
    return opened;
  }

  /**
   * Resolves when the session is open, at once if it is; does not open it. Rejects when it ends.
   * @param {WaitOptions} [options]
   * @returns {Promise<void>}
   */
  waitForOpen(options) {
    const deferred = new Deferred(this.#timers, options ?? {}, "waiting for the connection");
    deferred.mayBeIgnored();
    if (this.#ended) deferred.reject(this.#ended);
    else if (this.#status === "open") deferred.resolve();
    else this.#keep(this.#openWaiters, deferred);
    return deferred.promise;
  }

  /**
   * Ends the session for good: closes the socket, stops reconnecting, rejects everything that waits with code `closed`.
   * Closing twice is harmless.
   * @param {number} [code] 1000, or 3000 to 4999. Default 1000.
   * @param {string} [reason] At most 123 bytes of UTF-8.
   */
  close(code = 1000, reason = "") {
    if (this.#closedHere) return;
    const socket = this.#socket;
    socket?.close(code, reason); // first: it throws on a bad code, and then nothing has happened
    this.#closedHere = true;
    this.#dropSocket();
    if (socket) {
      // A socket closed before it opened still reports an error; nobody is to hear of it.
      socket.addEventListener("error", () => {}, { once: true });
      socket.addEventListener("close", (event) => this.#hook(() => this.#options.onClose?.(event)), { once: true });
    }
    this.#end(new SockaError("the session was closed by close()", { code: "closed" }));
  }

  /* ------------------------------------------------------------- calls */

  /** @param {boolean} oneWay @returns {any} */
  #callMap(oneWay) {
    /** @param {string} rpc @param {CallDef} [def] */
    const method = (rpc, def) => {
      /** @param {unknown} [input] @param {WaitOptions} [options] */
      return (input, options) => this.#call(rpc, input, options ?? {}, oneWay || (def !== undefined && !def.output), def);
    };
    if (this.#contract) {
      const map = Object.create(null);
      for (const [rpc, def] of Object.entries(this.#contract.calls)) map[rpc] = method(rpc, def);
      return Object.freeze(map);
    }
    return new Proxy(Object.freeze(Object.create(null)), {
      get: (_, rpc) => (typeof rpc === "symbol" || RESERVED_CALL_NAMES.includes(rpc) ? undefined : method(rpc)),
    });
  }

  /**
   * @param {string} rpc @param {unknown} input @param {WaitOptions} options @param {boolean} oneWay @param {CallDef} [def]
   * @returns {Promise<any>}
   */
  #call(rpc, input = {}, options, oneWay, def) {
    const deferred = new Deferred(this.#timers, options, `call ${rpc}`);
    if (oneWay) deferred.mayBeIgnored();
    const id = `${rpc}-${++this.#issued}`;
    /** @param {string} why @param {unknown} [cause] */
    const refuse = (why, cause) => deferred.reject(new SockaError(`call ${rpc}: ${why}`, { code: "invalid_input", cause }));
    let text = "";
    try {
      if (typeof input !== "object" || input === null || Array.isArray(input)) throw new TypeError("the input must be an object");
      const envelope = { socka: "clientRequest", v: WIRE_VERSION, id, rpc, body: input };
      text = this.#options.serializeJson ? this.#options.serializeJson(envelope) : JSON.stringify(envelope);
    } catch (error) {
      refuse(error instanceof Error ? error.message : String(error), error);
      return deferred.promise;
    }
    /** @type {Call} */
    const call = { id, rpc, text, oneWay, output: def?.output, deferred };
    this.#outbound.run(() => validate(def?.input, input, (_, problem) => {
      if (problem !== undefined) refuse(problem);
      else this.#submit(call);
    }));
    return deferred.promise;
  }

  /** @param {Call} call */
  #submit(call) {
    const { deferred, rpc } = call;
    if (deferred.settled) return;
    if (this.#ended) return deferred.reject(this.#ended);
    if (this.#status === "open" && this.#socket?.readyState === OPEN) return this.#transmit(call);
    const limit = this.#options.maxQueuedCalls ?? DEFAULT_MAX_QUEUED_CALLS;
    if (this.#queue.length >= limit) {
      return deferred.reject(new SockaError(`call ${rpc}: ${limit} calls wait for a connection already; it was not sent`, { code: "unavailable" }));
    }
    this.#queue.push(call);
    deferred.release = () => {
      this.#queue = this.#queue.filter((queued) => queued !== call);
    };
    if (this.#status === "idle") this.#tryOpen();
  }

  /** @param {Call} call */
  #transmit(call) {
    const { id, text, oneWay, deferred } = call;
    deferred.release = () => void this.#pending.delete(id);
    this.#pending.set(id, call);
    try {
      this.#socket?.send(text);
    } catch (cause) {
      return deferred.reject(new SockaError(`call ${call.rpc}: the WebSocket refused to send it`, { code: "connection_lost", cause }));
    }
    if (oneWay) deferred.resolve();
  }

  /* --------------------------------------------------- the way in */

  /** @param {unknown} data */
  #receive(data) {
    const frame = decodeFrame(data, this.#options.deserializeJson ?? JSON.parse);
    if (frame.kind === "event") return this.#inbound.run(() => this.#deliver(frame.name, frame.body));
    if (frame.kind === "malformed") this.#report({ kind: "clientFrame", error: frame.error });
    const call = frame.id === undefined ? undefined : this.#pending.get(frame.id);
    if (!call) return this.#unmatched(frame);
    // Answered from here on, whatever a schema may take to look at it: losing the connection no longer matters.
    this.#pending.delete(call.id);
    this.#inbound.run(() => this.#settle(call, frame));
  }

  /** @param {Call} call @param {Exclude<ServerFrame, { kind: "event" }>} frame */
  #settle({ rpc, output, deferred }, frame) {
    if (frame.kind !== "response") return deferred.reject(frame.error);
    if (frame.rpc !== rpc) {
      return deferred.reject(new SockaError(`call ${rpc}: the server answered as if it were ${frame.rpc}`, { code: "protocol_error" }));
    }
    return validate(output, frame.body, (value, problem) => {
      if (problem === undefined) deferred.resolve(value);
      else deferred.reject(new SockaError(`call ${rpc}: the output fails its schema: ${problem}`, { code: "invalid_output" }));
    });
  }

  /** @param {Exclude<ServerFrame, { kind: "event" }>} frame */
  #unmatched(frame) {
    if (frame.kind === "error") {
      this.#report({ kind: "clientUnmatchedError", id: frame.id, rpc: frame.rpc, error: frame.error });
    } else if (frame.kind === "response" && !this.#wasIssued(frame.id, frame.rpc)) {
      const error = new SockaError(`an answer to ${frame.id}, which was never asked`, { code: "protocol_error" });
      this.#report({ kind: "clientUnmatchedResponse", id: frame.id, rpc: frame.rpc, error });
    }
  }

  /** A second answer, or one to a call given up, is no news. @param {string} id @param {string} rpc */
  #wasIssued(id, rpc) {
    const number = id.slice(rpc.length + 1);
    return id === `${rpc}-${number}` && /^[1-9]\d*$/.test(number) && Number(number) <= this.#issued;
  }

  /* ------------------------------------------------------------ pushes */

  /** @returns {Subscribe<C>} */
  #makeSubscribe() {
    return Object.freeze({
      /** @param {string} name @param {(payload: any) => unknown} handler */
      on: (name, handler) => this.#listen(name, handler, false),
      /** @param {string} name @param {(payload: any) => unknown} handler */
      once: (name, handler) => this.#listen(name, handler, true),
      /** @param {string} name @param {(payload: any) => unknown} handler */
      off: (name, handler) => this.#unlisten(name, handler),
      /** @param {string} name @param {WaitOptions & { predicate?: (payload: any) => boolean }} [options] */
      waitForPush: (name, options) => this.#waitForPush(name, options ?? {}),
    });
  }

  /** @param {string} name @param {(payload: any) => unknown} handler @param {boolean} once */
  #listen(name, handler, once) {
    checkName("push", name);
    if (typeof handler !== "function") throw new TypeError(`socka: the handler of push ${name} is not a function`);
    if (this.#contract && !Object.hasOwn(this.#contract.pushes ?? {}, name)) {
      throw new TypeError(`socka: the contract has no push ${JSON.stringify(name)}`);
    }
    let handlers = this.#listeners.get(name);
    if (!handlers) this.#listeners.set(name, (handlers = new Map()));
    handlers.set(handler, { once });
    return () => this.#unlisten(name, handler);
  }

  /** @param {string} name @param {(payload: any) => unknown} handler */
  #unlisten(name, handler) {
    const handlers = this.#listeners.get(name);
    if (handlers?.delete(handler) && handlers.size === 0) this.#listeners.delete(name);
  }

  /**
   * @param {string} name @param {WaitOptions & { predicate?: (payload: any) => boolean }} options
   * @returns {Promise<any>}
   */
  #waitForPush(name, { predicate, ...options }) {
    const deferred = new Deferred(this.#timers, options, `waiting for push ${name}`);
    try {
      if (this.#ended) throw this.#ended;
      if (deferred.settled) return deferred.promise;
      const stop = this.#listen(name, (payload) => {
        try {
          if (!predicate || predicate(payload)) deferred.resolve(payload);
        } catch (error) {
          deferred.reject(error);
        }
      }, false);
      this.#keep(this.#pushWaiters, deferred, stop);
    } catch (error) {
      deferred.reject(error);
    }
    return deferred.promise;
  }

  /** @param {string} eventName @param {unknown} body */
  #deliver(eventName, body) {
    const handlers = this.#listeners.get(eventName); // control pushes and unknown ones have no handlers
    if (!handlers) return;
    return validate(this.#contract?.pushes?.[eventName], body, (payload, problem) => {
      if (problem !== undefined) {
        const error = new SockaError(`push ${eventName} fails its schema: ${problem}`, { code: "invalid_output" });
        return this.#report({ kind: "clientEventValidation", eventName, error });
      }
      /** @param {unknown} error */
      const failed = (error) => this.#report({ kind: "clientEventListener", eventName, error });
      for (const [handler, entry] of [...handlers]) {
        if (this.#closedHere) return;
        if (handlers.get(handler) !== entry) continue; // ended by an earlier handler of this push
        if (entry.once) this.#unlisten(eventName, handler);
        try {
          const result = handler(payload);
          if (isThenable(result)) result.then(undefined, failed);
        } catch (error) {
          failed(error);
        }
      }
    });
  }

  /* -------------------------------------------------------- connection */

  /** Opens a socket to the URL; throws what its constructor throws, after ending the session. */
  #open() {
    this.#setStatus(this.#failures === 0 ? "connecting" : "reconnecting");
    if (this.#ended || this.#socket) return; // a status listener got here first
    let socket;
    try {
      socket = new this.#WebSocket(/** @type {string} */ (this.#url));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#end(new SockaError(`the WebSocket could not be created: ${why}`, { code: "closed", cause }));
      throw cause;
    }
    this.#adopt(socket);
  }

  /** As #open, for where everybody concerned learns of a failure by the session's end. */
  #tryOpen() {
    try {
      this.#open();
    } catch {
      return;
    }
  }

  /** @param {SocketLike} socket */
  #adopt(socket) {
    /** @param {unknown} event */
    const opened = (event) => this.#opened(event);
    /** @param {{ data: unknown }} event */
    const message = (event) => this.#receive(event.data);
    /** @param {unknown} event */
    const error = (event) => this.#hook(() => this.#options.onError?.(event));
    /** @param {CloseInfo} event */
    const closed = (event) => this.#lost(event);
    const timeout = this.#options.connectTimeoutMs ?? 20_000;
    this.#socket = socket;
    this.#detachSocket = () => {
      socket.removeEventListener("open", opened);
      socket.removeEventListener("message", message);
      socket.removeEventListener("error", error);
      socket.removeEventListener("close", closed);
    };
    socket.addEventListener("open", opened);
    socket.addEventListener("message", message);
    socket.addEventListener("error", error);
    socket.addEventListener("close", closed);
    if (socket.readyState === OPEN) {
      this.#setStatus("open");
    } else if (socket.readyState > OPEN) {
      this.#lost({ code: 1006, reason: "the given WebSocket is closed", wasClean: false });
    } else {
      this.#setStatus("connecting", "idle");
      this.#connectTimer = this.#timers.setTimeout(() => {
        socket.addEventListener("error", () => {}, { once: true });
        this.#lost({ code: 1006, reason: `no connection within ${timeout} ms`, wasClean: false });
        socket.close();
      }, timeout);
    }
  }

  #dropSocket() {
    this.#detachSocket();
    this.#detachSocket = () => {};
    this.#socket = undefined;
    this.#timers.clearTimeout(this.#connectTimer);
    this.#timers.clearTimeout(this.#stableTimer);
  }

  /** @param {unknown} event */
  #opened(event) {
    const socket = this.#socket;
    this.#timers.clearTimeout(this.#connectTimer);
    this.#stableTimer = this.#timers.setTimeout(() => {
      this.#failures = 0;
    }, this.#reconnect.stableAfterMs);
    this.#status = "open"; // told below: what waits in order goes first
    for (const call of this.#queue.splice(0)) this.#transmit(call);
    for (const waiter of [...this.#openWaiters]) waiter.resolve();
    this.#tellStatus();
    if (this.#socket === socket) this.#hook(() => this.#options.onOpen?.(event));
  }

  /** @param {CloseInfo} event */
  #lost(event) {
    this.#dropSocket();
    const { code, reason } = event;
    const cause = `close code ${code}${reason ? `, ${reason}` : ""}`;
    for (const { rpc, deferred } of [...this.#pending.values()]) {
      deferred.reject(new SockaError(`call ${rpc}: the connection was lost before the answer (${cause}); it may have run`, { code: "connection_lost" }));
    }
    const { enabled, maxAttempts } = this.#reconnect;
    /** @type {string | undefined} */
    let end;
    if (!enabled) end = "it does not reconnect";
    else if (!shouldReconnect(code)) end = "the server asks not to come back";
    else if (this.#failures >= maxAttempts) end = `${maxAttempts} attempts to reconnect failed`;
    if (end === undefined) this.#backOff();
    else this.#end(new SockaError(`the session has ended (${cause}): ${end}`, { code: "closed" }));
    this.#hook(() => this.#options.onClose?.(event));
  }

  /** Waits before the next attempt; coming online or into view ends the wait. */
  #backOff() {
    const { initialDelayMs, maxDelayMs, factor, jitter } = this.#reconnect;
    const base = Math.min(maxDelayMs, initialDelayMs * factor ** this.#failures++);
    const spread = 1 + jitter * (2 * (this.#options.random ?? Math.random)() - 1);
    const { document, addEventListener, removeEventListener } = /** @type {any} */ (globalThis);
    const go = () => {
      this.#cancelBackoff();
      this.#tryOpen();
    };
    const look = () => {
      if (document.visibilityState === "visible") go();
    };
    const timer = this.#timers.setTimeout(go, Math.min(base * spread, LONGEST_TIMER));
    addEventListener?.("online", go);
    document?.addEventListener("visibilitychange", look);
    this.#cancelBackoff = () => {
      this.#cancelBackoff = () => {};
      this.#timers.clearTimeout(timer);
      removeEventListener?.("online", go);
      document?.removeEventListener("visibilitychange", look);
    };
    this.#setStatus("reconnecting");
  }

  /** @param {SockaError} error */
  #end(error) {
    this.#cancelBackoff();
    this.#ended = error;
    const calls = [...this.#queue, ...this.#pending.values()];
    for (const { deferred } of calls) deferred.reject(error);
    for (const waiter of [...this.#openWaiters, ...this.#pushWaiters]) waiter.reject(error);
    this.#setStatus("closed");
  }

  /* ------------------------------------------------------------- small */

  /** @param {Set<Deferred>} set @param {Deferred} deferred @param {() => void} [release] */
  #keep(set, deferred, release) {
    if (deferred.settled) return;
    set.add(deferred);
    deferred.release = () => {
      set.delete(deferred);
      release?.();
    };
  }

  /** @param {SockaStatus} status @param {SockaStatus} [from] only when this is the present one */
  #setStatus(status, from = this.#status) {
    if (this.#status === status || this.#status !== from) return;
    this.#status = status;
    this.#tellStatus();
  }

  #tellStatus() {
    const status = this.#status;
    for (const listener of [...this.#statusListeners]) {
      if (this.#status !== status) return; // a listener changed it and everybody was told since
      this.#hook(() => listener(status));
    }
  }

  /** @param {() => unknown} run */
  #hook(run) {
    try {
      run();
    } catch (error) {
      this.#report({ kind: "clientHook", error });
    }
  }

  /** @param {SockaReport} report */
  #report(report) {
    try {
      (this.#options.reportError ?? defaultReportError)(report);
    } catch (error) {
      console.error("socka: reportError threw:", error);
    }
  }
}

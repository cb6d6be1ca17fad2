// Compiled, never run: what the JSDoc types must accept and refuse.
import { defineSocka, shouldReconnect, SockaError, SockaSession, type StandardSchema } from "../socka.js";

type Of<In, Out = In> = {
  readonly "~standard": StandardSchema["~standard"] extends { validate: infer V } ? { readonly validate: V; readonly types?: { readonly input: In; readonly output: Out } } : never;
};
declare function schema<In, Out = In>(): Of<In, Out>;

const contract = defineSocka({
  calls: {
    sendMessage: { input: schema<{ text: string }>(), output: schema<{ ok: boolean }>() },
    listPresence: { output: schema<{ users: string[] }>() },
    typing: { input: schema<{ on: boolean }>() },
  },
  pushes: { roomMessage: schema<{ id: string; text: string }>() },
});

const session = new SockaSession({
  contract,
  url: new URL("ws://localhost/"),
  pushHandlers: { roomMessage: (row) => row.text.length },
  reportError: (report) => void (report.kind === "clientFrame" && report.error),
});

export async function typed(): Promise<void> {
  const answer: { ok: boolean } = await session.send.sendMessage({ text: "hi" }, { timeoutMs: 5 });
  const users: string[] = (await session.send.listPresence()).users;
  const sent: void = await session.send.typing({ on: answer.ok });
  await session.sendOneWay.typing({ on: users.length > 0 });
  const stop: () => void = session.subscribe.on("roomMessage", (row) => row.id.length);
  const row = await session.subscribe.waitForPush("roomMessage", { predicate: (r) => r.text !== "" });
  row.id satisfies string;
  stop();

  // @ts-expect-error the input's shape
  await session.send.sendMessage({ words: "hi" });
  // @ts-expect-error no such call
  await session.send.nothing();
  // @ts-expect-error no such push
  session.subscribe.on("nothing", () => {});
  // @ts-expect-error the payload has no such field
  session.subscribe.on("roomMessage", (r) => r.nothing);
  return sent;
}

const loose = new SockaSession({ url: "ws://localhost/", autoConnect: false, reconnect: { maxAttempts: 3 } });
export async function untyped(): Promise<number> {
  loose.subscribe.once("anything", (payload) => payload.whatever);
  const { rows } = await loose.send.anything({ at: 1 }, { signal: new AbortController().signal });
  loose.onStatusChange((status) => void (status === "open"));
  // @ts-expect-error not a status
  loose.onStatusChange((status) => void (status === "opened"));
  const error = new SockaError("no", { code: "x", retryAfterMs: 10 });
  return shouldReconnect(4401) ? rows : error.retryAfterMs ?? 0;
}

// @ts-expect-error msgpack is not spoken here
new SockaSession({ url: "ws://localhost/", wireFormat: "msgpack" });

import { SockaSession } from "../../socka.js";
import { FakeTimers, fakeWebSocket } from "./fake.js";

/** A session over a fake WebSocket in virtual time, with what it reported. random() is 0.5: no spread. */
export function setup(options = {}) {
  const timers = new FakeTimers();
  const FakeWebSocket = fakeWebSocket();
  const reports = [];
  const statuses = [];
  const session = new SockaSession({
    url: "ws://test.invalid/room",
    WebSocket: FakeWebSocket,
    timers,
    random: () => 0.5,
    reportError: (report) => reports.push(report),
    ...options,
  });
  session.onStatusChange((status) => statuses.push(status));
  return { session, timers, reports, statuses, FakeWebSocket, get socket() { return FakeWebSocket.last; } };
}

/** As setup, with the first connection open. */
export function open(options) {
  const made = setup(options);
  made.socket.accept();
  made.statuses.length = 0;
  return made;
}

/** Lets every microtask that is ready run. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A Standard Schema from a function that returns a problem or nothing. */
export function schema(check, { later = false, path } = {}) {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate(value) {
        const problem = check(value);
        const result = problem ? { issues: [{ message: problem, path }] } : { value };
        return later ? new Promise((resolve) => setImmediate(resolve, result)) : result;
      },
    },
  };
}

// The Go demo server as a process: built once per test file, one instance per test or more.
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const repository = fileURLToPath(new URL("../../../", import.meta.url));

/** Why the demo cannot be built here; false when it can. Fits `skip` of a test. */
export const noDemo = spawnSync("go", ["version"]).status === 0 ? false : "needs go on the PATH, to build the demo server";

/** Builds the demo; `remove` deletes what was built. */
export async function buildDemo() {
  const dir = await mkdtemp(join(tmpdir(), "socka-demo-"));
  const binary = join(dir, "demo.exe");
  await promisify(execFile)("go", ["build", "-o", binary, "./cmd/demo"], { cwd: repository });
  return { binary, remove: () => rm(dir, { recursive: true, force: true }) };
}

/**
 * Runs the demo on a free port until the test's end. The port is below those that systems give to outgoing connections:
 * nobody takes it while the demo is down, not even a client that dials it and by chance meets itself.
 * @param {import("node:test").TestContext} t
 * @param {string} binary
 * @param {string[]} [args] flags besides -addr
 */
export async function startDemo(t, binary, args = []) {
  for (let left = 20; ; left--) {
    const demo = new Demo(binary, 10_000 + Math.floor(Math.random() * 20_000), args);
    try {
      await demo.start();
    } catch (error) {
      if (left > 0 && /is taken/.test(error.message)) continue;
      throw error;
    }
    t.after(() => demo.stop("SIGKILL"));
    return demo;
  }
}

class Demo {
  #binary;
  #args;
  #child;
  #exited;
  /** What it logged since it was started. */
  log = "";

  constructor(binary, port, args) {
    this.#binary = binary;
    this.#args = ["-addr", `localhost:${port}`, ...args];
    this.url = `http://localhost:${port}/`;
    this.ws = `ws://localhost:${port}/ws/`;
  }

  /** Starts it, again after a stop, on the same port; resolves when it takes connections. */
  async start() {
    this.log = "";
    const child = spawn(this.#binary, this.#args, { stdio: ["ignore", "pipe", "pipe"] });
    const orphan = () => child.kill("SIGKILL"); // should the test runner end before the test does
    process.once("exit", orphan);
    this.#child = child;
    this.#exited = once(child, "close").finally(() => process.off("exit", orphan));
    child.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
    const printed = new Promise((resolve) => {
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (more) => (text += more).includes("\n") && resolve(text));
    });
    const first = await Promise.race([printed, this.#exited]);
    if (typeof first !== "string") throw new Error(`the demo ended with code ${first[0]}: ${this.log}`);
    if (!first.startsWith(`Socka demo: ${this.url}\n`)) throw new Error(`the demo printed ${JSON.stringify(first)}`);
  }

  /** Sends a signal and waits for the end: the exit code, or null if the signal itself ended it. */
  async stop(signal) {
    this.#child.kill(signal); // harmless when it has ended
    const [code] = await this.#exited;
    return code;
  }
}

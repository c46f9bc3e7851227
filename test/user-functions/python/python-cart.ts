/** Starts the cart that is written in Python. Its stubs are made anew for each start. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ensureCompiler, ensurePython, PROTOCOL } from "./protobuf-tools.ts";

const CART = fileURLToPath(new URL("cart.py", import.meta.url));
const SAMPLE = fileURLToPath(new URL("../../../samples/shopping-cart/proto", import.meta.url));
export class PythonCart implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #stubs: string;

  private constructor(port: number, child: ChildProcess, stubs: string) {
    this.port = port;
    this.#child = child;
    this.#stubs = stubs;
  }

  /** On a free port unless one is given. Rejects where it does not come up, or its tools are missing and may not be installed. */
  static async start(port = 0): Promise<PythonCart> {
    const python = await ensurePython();
    const stubs = mkdtempSync(join(tmpdir(), "python-cart-"));
    makeStubs(stubs, await ensureCompiler());
    const child = spawn(python, [CART, stubs, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const [line] = await Promise.race([once(lines, "line"), once(child, "exit").then(() => [])]);
    if (line === undefined) throw new Error("The cart in Python did not start");
    return new PythonCart(Number(line), child, stubs);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** At once, as a machine that loses its power. Safe twice. */
  async stop(): Promise<void> {
    rmSync(this.#stubs, { recursive: true, force: true });
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function makeStubs(folder: string, googleProtos: string): void {
  const own = ["cloudstate", "google/api"].flatMap((room) => protosIn(PROTOCOL, room));
  const files = [...own, ...protosIn(SAMPLE, ".")];
  const includes = [PROTOCOL, SAMPLE, googleProtos].map((include) => `-I${include}`);
  execFileSync("protoc", [...includes, `--python_out=${folder}`, ...files]);
}

function protosIn(folder: string, room: string): string[] {
  return readdirSync(join(folder, room))
    .filter((file) => file.endsWith(".proto"))
    .map((file) => join(folder, room, file));
}

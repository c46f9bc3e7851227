/** The watchdog's thread; see watchdog.ts. */

import { writeSync } from "node:fs";
import { Session } from "node:inspector";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { type Blocked, CURRENT_TURN, type WatchdogData } from "./watchdog-data.ts";

const { cluster, name, pulse, limitMs } = workerData as WatchdogData;
const LOOK_MS = 50;
const ASK_MS = 1_000;
const GOODBYE_MS = 2_000;

let session = "";
parentPort?.on("message", (next: string) => {
  session = next;
});
void watch();

async function watch(): Promise<never> {
  const beats = new Int32Array(pulse);
  let lastBeat = Atomics.load(beats, 0);
  let blockedMs = 0;
  for (;;) {
    const before = performance.now();
    await sleep(LOOK_MS);
    const passed = performance.now() - before;
    const beat = Atomics.load(beats, 0);
    // A thread that was itself held up (the machine slept, SIGSTOP) has seen nothing of the time between.
    if (beat !== lastBeat || passed > LOOK_MS * 10) blockedMs = 0;
    else blockedMs += passed;
    lastBeat = beat;
    if (blockedMs > limitMs) await end();
  }
}

async function end(): Promise<void> {
  const blocked = await Promise.race([ask(), sleep(ASK_MS).then(() => undefined)]);
  await Promise.race([sayGoodbye(blocked).catch(() => {}), sleep(GOODBYE_MS)]);
  const line = {
    level: "fatal",
    time: new Date().toISOString(),
    node: name,
    ...blocked,
    blockedMs: limitMs,
    msg: "node.blocked",
  };
  // Not through process.stdout: a thread's goes through the thread that is blocked.
  writeSync(1, `${JSON.stringify(line)}\n`);
  process.kill(process.pid, "SIGKILL");
}

/** What it takes is loaded only now: most nodes never need it, and boot faster without. */
async function sayGoodbye(blocked: Blocked | undefined): Promise<void> {
  const { blameAndEvict } = await import("./watchdog-goodbye.ts");
  await blameAndEvict({ cluster, name, session, silenceMs: GOODBYE_MS }, blocked);
}

/** Stops the blocked code for a moment and reads its stack and its turn. */
function ask(): Promise<Blocked> {
  return new Promise((resolve) => {
    const inspector = new Session();
    inspector.connectToMainThread();
    const files = new Map<string, string>();
    inspector.on("Debugger.scriptParsed", ({ params }) => files.set(params.scriptId, params.url));
    inspector.on("Debugger.paused", ({ params }) => {
      const stack = params.callFrames
        .map(
          ({ functionName, location }) =>
            `    at ${functionName || "<anonymous>"} (${files.get(location.scriptId)}:${location.lineNumber + 1})`,
        )
        .join("\n");
      const callFrameId = params.callFrames[0]?.callFrameId ?? "";
      const expression = `globalThis[Symbol.for("${CURRENT_TURN}")]()`;
      inspector.post("Debugger.evaluateOnCallFrame", { callFrameId, expression }, (_, answer) => {
        const text = String(answer?.result.value ?? "");
        const turn = text ? (JSON.parse(text) as Pick<Blocked, "pid" | "messageId">) : undefined;
        resolve({
          pid: turn?.pid,
          messageId: turn?.messageId ?? "",
          stack: `Error: blocked its node's event loop\n${stack}`,
        });
        inspector.post("Debugger.resume");
      });
    });
    inspector.post("Debugger.enable");
    inspector.post("Debugger.pause");
  });
}

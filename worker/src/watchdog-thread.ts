/** The watchdog's thread; see watchdog.ts. */

import { writeSync } from "node:fs";
import { Session } from "node:inspector";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { evictSession } from "@genserverless/shared/cluster/eviction.ts";
import { readPublishedLua } from "@genserverless/shared/cluster/mailbox.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { RedisLink } from "@genserverless/shared/redis/connection.ts";
import { Keys } from "@genserverless/shared/redis/keys.ts";
import { loadScripts } from "@genserverless/shared/redis/scripts.ts";
import { Events } from "@genserverless/shared/service/events.ts";
import { CURRENT_TURN, type WatchdogData } from "./watchdog.ts";

const { cluster, name, pulse, limitMs } = workerData as WatchdogData;
const LOOK_MS = 50;
const ASK_MS = 500;
const GOODBYE_MS = 2_000;

interface Blocked {
  pid: Pid | undefined;
  messageId: string;
  stack: string;
}

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
        const turn = text ? (JSON.parse(text) as { pid: Pid; messageId: string }) : undefined;
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

/** Blames the message and gives the session's processes away, over a connection of its own. */
async function sayGoodbye(blocked: Blocked | undefined): Promise<void> {
  const link = new RedisLink({
    url: cluster.redisUrl,
    name: `${name}:watchdog`,
    scripts: loadScripts(readPublishedLua()),
    events: new Events(),
    silenceMs: GOODBYE_MS,
  });
  const keys = new Keys(cluster.keyPrefix, cluster.partitions);
  await link.start();
  let isNamed = false;
  if (blocked?.pid) {
    const partition = keys.partitionOf(blocked.pid);
    const args = [keys.base(partition), blocked.pid, session, blocked.messageId, blocked.stack];
    isNamed = (await link.run<number>("blame", [keys.process(partition, blocked.pid)], args)) === 1;
  }
  await evictSession(link, keys, session, { blameless: isNamed });
}

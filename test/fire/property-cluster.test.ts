import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import type { Redis } from "ioredis";
import type { Driver } from "../contract/driver.ts";
import { findOutboxes, untilSound } from "../tools/audit.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import type { Answer } from "../tools/cluster-client.ts";
import { type Order, PlayerModel, programs } from "../tools/player-model.ts";
import { TestCluster, type TestNode } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { countBoots } from "../tools/worker-killer.ts";

/**
 * Random programs of players on a cluster whose workers are killed, against a plain model. Its seed is in the failure.
 *
 * Mail goes to a pid and not to a life: what was thrown at a player that has ended lies in its thrower's outbox while the
 * thrower's node is dead, and would reach a life that begins meanwhile. That is as promised, but the model has each order
 * done at once. So a start waits until all outboxes are empty; nothing else does.
 */

const SECONDS = Number(process.env["FIRE_SECONDS"] ?? 8);
const WITHIN_MS = 20_000;
const BACK_WITHIN_MS = 60_000;
const PARTITIONS = 64;
const modulesDir = mkdtempSync(join(tmpdir(), "players-"));
const cluster = new TestCluster({ apis: 1, workers: 2, sessionTtlMs: 2_000, modulesDir, env: { DRAIN_MS: "50" } });
const { client } = cluster;
let version = 0;
let runs = 0;
/** The workers that were killed, with how often each had booted by then. */
const killed = new Map<TestNode, number>();
/** Stays connected; the cluster's stop ends it. */
let redis: Redis;

before(async () => {
  useNextVersion();
  await cluster.start();
  redis = cluster.redis.connect();
});
after(async () => {
  await cluster.stop();
  rmSync(modulesDir, { recursive: true });
  assertNoChildLeft();
});

test("players on a cluster become what a plain model says, whatever they are told, while workers are killed", {
  timeout: (SECONDS + 120) * 1_000,
}, async (t) => {
  const program = programs({ crashes: 3, upgrades: 1 }, { minLength: 10, maxLength: 40 });
  let last = Promise.resolve();
  const run = (orders: readonly Order[]) => {
    last = play(orders);
    return last;
  };
  const options = { interruptAfterTimeLimit: SECONDS * 1_000, numRuns: 1_000_000, endOnFailure: true };
  await fc.assert(fc.asyncProperty(program, run), options);
  // What the end of the time has interrupted goes on.
  await last;
  // A worker that still boots does not leave cleanly.
  await untilAllAreBack();
  t.diagnostic(`${runs} programs`);
});

/** The error says the program, for fast-check does not where its time was up before. */
async function play(orders: readonly Order[]): Promise<void> {
  try {
    await new PlayerModel(driver, `run-${++runs}`).run(orders);
    await untilSound(redis, cluster.keyPrefix, PARTITIONS, WITHIN_MS);
  } catch (cause) {
    throw new Error(`run-${runs} fails: ${JSON.stringify(orders)}`, { cause });
  }
}

/** Nothing is under way from one process to another. */
async function untilDelivered(): Promise<void> {
  const isDelivered = async () => (await findOutboxes(redis, cluster.keyPrefix, PARTITIONS)).length === 0;
  await until(isDelivered, { withinMs: WITHIN_MS, what: "all outboxes are empty" });
}

function useNextVersion(): void {
  version += 1;
  const { href } = pathToFileURL(join(import.meta.dirname, "../tools/player.ts"));
  const source = `import { definePlayer } from "${href}";\nexport default definePlayer(${version});\n`;
  // A node that boots just now reads the one or the other, never half of it.
  writeFileSync(join(modulesDir, "_next.ts"), source);
  renameSync(join(modulesDir, "_next.ts"), join(modulesDir, "player.ts"));
}

/** Kills the worker that has the process, or the first, and has it come back under its name. */
async function crash(pid: string): Promise<void> {
  const { owner } = (await client.read(pid)).body;
  const worker = cluster.workers.find(({ name }) => String(owner).startsWith(`worker@${name}#`)) ?? cluster.workers[0];
  if (!worker) return;
  await worker.kill();
  killed.set(worker, countBoots(worker));
  await worker.start();
}

/** Every worker that was killed has joined again. */
async function untilAllAreBack(): Promise<void> {
  for (const [worker, boots] of killed) {
    const isBack = () => {
      if (!worker.isAlive) throw new Error(`${worker.name} has exited: ${worker.lastWords()}`);
      return countBoots(worker) > boots;
    };
    await until(isBack, { withinMs: BACK_WITHIN_MS, what: `${worker.name} is back` });
  }
}

/**
 * The body of an answer; an error with the cluster's code where it is none. Both workers may have been killed, one shortly
 * after the other; what is refused for that is asked again when they are back, and once.
 */
async function read(ask: () => Promise<Answer>): Promise<Record<string, unknown>> {
  let { status, body } = await ask();
  if (body["code"] === "no_workers") {
    await untilAllAreBack();
    ({ status, body } = await ask());
  }
  if (status < 400) return body;
  throw Object.assign(new Error(`${body["code"]}: ${body["detail"]}`), { code: body["code"] });
}

function act(pid: string, verb: string): Promise<void> {
  return read(() => client.act(pid, verb)).then(() => {});
}

const driver: Driver = {
  start: async (module, { key, args }) => {
    await untilDelivered();
    return String((await read(() => client.start(module, key, { args })))["pid"]);
  },
  call: async (pid, message, options) =>
    (await read(() => client.call(pid, message, { timeoutMs: WITHIN_MS, ...options })))["reply"],
  cast: async (pid, message, options) => void (await read(() => client.cast(pid, message, options))),
  info: async (pid, message) => void (await read(() => client.info(pid, message))),
  stop: async (pid, reason) => void (await read(() => client.stop(pid, reason === undefined ? {} : { reason }))),
  kill: (pid) => act(pid, "kill"),
  pause: (pid) => act(pid, "pause"),
  resume: (pid) => act(pid, "resume"),
  unquarantine: (pid) => act(pid, "unquarantine"),
  crash,
  upgrade: async () => useNextVersion(),
  status: async (pid) => (await client.read(pid)).body["status"] as string | undefined,
  state: async (pid) => (await client.read(pid)).body["state"],
  tags: async () => [],
  deadLetters: async (pid) =>
    (await read(() => client.get(`/v1/processes/${pid}/dead-letters`)))["deadLetters"] as Awaited<
      ReturnType<Driver["deadLetters"]>
    >,
  until: async (fact) => {
    let last: unknown;
    const isSo = async () => {
      try {
        await fact();
        return true;
      } catch (error) {
        last = error;
        return false;
      }
    };
    await until(isSo, { withinMs: WITHIN_MS, everyMs: 10 }).catch(() => {
      throw last;
    });
  },
};

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import type { Driver } from "../contract/driver.ts";
import { audit } from "../tools/audit.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import type { Answer } from "../tools/cluster-client.ts";
import { type Order, PlayerModel, programs } from "../tools/player-model.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/**
 * Random programs of players on a cluster whose workers are killed, against a plain model. Its seed is in the failure. A part
 * of the soak only: what a life sent before it ended, delivered late because its node died, may reach the next life of its
 * target, and the model does not know that yet.
 */

const SECONDS = Number(process.env["FIRE_SECONDS"] ?? 20) > 60 ? Number(process.env["FIRE_SECONDS"]) : 7;
const WITHIN_MS = 20_000;
const modulesDir = mkdtempSync(join(tmpdir(), "players-"));
const cluster = new TestCluster({ apis: 1, workers: 2, sessionTtlMs: 1_000, modulesDir, env: { DRAIN_MS: "50" } });
const { client } = cluster;
let version = 0;
let runs = 0;

before(async () => {
  useNextVersion();
  await cluster.start();
});
after(async () => {
  await cluster.stop();
  rmSync(modulesDir, { recursive: true });
  assertNoChildLeft();
});

test("players on a cluster become what a plain model says, whatever they are told, while workers are killed", {
  timeout: (SECONDS + 120) * 1_000,
  skip: SECONDS < 60 && "a part of the soak",
}, async (t) => {
  const program = programs({ crashes: 3, upgrades: 1 }, { minLength: 10, maxLength: 40 });
  let last = Promise.resolve();
  const run = (orders: readonly Order[]) => {
    last = new PlayerModel(driver, `run-${++runs}`).run(orders).then(untilAtRest);
    return last;
  };
  const options = { interruptAfterTimeLimit: SECONDS * 1_000, numRuns: 1_000_000, endOnFailure: true };
  await fc.assert(fc.asyncProperty(program, run), options);
  // What the end of the time has interrupted goes on.
  await last;
  t.diagnostic(`${runs} programs`);
});

/** Nothing is under way any more, and everything in Redis fits together. */
async function untilAtRest(): Promise<void> {
  const redis = cluster.redis.connect();
  let faults: string[] = [];
  const isAtRest = async () => {
    faults = await audit(redis, cluster.keyPrefix, 64);
    return faults.length === 0;
  };
  try {
    await until(isAtRest, { withinMs: WITHIN_MS, everyMs: 100 });
  } catch (error) {
    throw new Error(faults.join("\n"), { cause: error });
  } finally {
    redis.disconnect();
  }
}

function useNextVersion(): void {
  version += 1;
  const { href } = pathToFileURL(join(import.meta.dirname, "../tools/player.ts"));
  const source = `import { definePlayer } from "${href}";\nexport default definePlayer(${version});\n`;
  writeFileSync(join(modulesDir, "player.ts"), source);
}

/** Kills the worker that has the process, or the first, and has it come back under its name. */
async function crash(pid: string): Promise<void> {
  const { owner } = (await client.read(pid)).body;
  const worker = cluster.workers.find(({ name }) => String(owner).startsWith(`worker@${name}#`)) ?? cluster.workers[0];
  await worker?.kill();
  await worker?.start();
}

/** The body of an answer; an error with the cluster's code where it is none. */
async function read(answer: Promise<Answer>): Promise<Record<string, unknown>> {
  const { status, body } = await answer;
  if (status < 400) return body;
  throw Object.assign(new Error(`${body["code"]}: ${body["detail"]}`), { code: body["code"] });
}

function act(pid: string, verb: string): Promise<void> {
  return read(client.request("POST", `/v1/processes/${pid}/${verb}`, {})).then(() => {});
}

const driver: Driver = {
  start: async (module, { key, args }) => String((await read(client.start(module, key, { args })))["pid"]),
  call: async (pid, message, options) =>
    (await read(client.call(pid, message, { timeoutMs: WITHIN_MS, ...options })))["reply"],
  cast: async (pid, message, options) => void (await read(client.cast(pid, message, options))),
  info: async (pid, message) => void (await read(client.info(pid, message))),
  stop: async (pid, reason) => void (await read(client.stop(pid, reason === undefined ? {} : { reason }))),
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
    (await read(client.get(`/v1/processes/${pid}/dead-letters`)))["deadLetters"] as Awaited<
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

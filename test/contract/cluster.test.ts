import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { assertNoChildLeft } from "../tools/child.ts";
import type { Answer } from "../tools/cluster-client.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import type { Driver } from "./driver.ts";
import { suite } from "./suite.ts";

/** The contract, on Redis, api and workers. The death of a worker is a SIGKILL. */

const WITHIN_MS = 10_000;
/** A call may have to wait until a dead worker is noticed, or a new one has booted. */
const CALL_MS = 20_000;
const versions = mkdtempSync(join(tmpdir(), "contract-"));
const modulesDir = `${join(import.meta.dirname, "modules")}:${versions}`;
const cluster = new TestCluster({ apis: 1, workers: 2, modulesDir, env: { DRAIN_MS: "50" } });
const { client } = cluster;

before(() => {
  useVersion(1);
  return cluster.start();
});
after(async () => {
  await cluster.stop();
  rmSync(versions, { recursive: true });
  assertNoChildLeft();
});

/** The body of an answer; an error with the cluster's code where it is none. */
async function read(answer: Promise<Answer>): Promise<Record<string, unknown>> {
  const { status, body } = await answer;
  if (status < 400) return body;
  throw Object.assign(new Error(`${body["code"]}: ${body["detail"]}`), { code: body["code"] });
}

async function view(pid: string): Promise<Record<string, unknown> | undefined> {
  const { status, body } = await client.read(pid);
  return status === 404 ? undefined : body;
}

function act(pid: string, verb: string): Promise<Record<string, unknown>> {
  return read(client.act(pid, verb));
}

function useVersion(version: 1 | 2): void {
  const file = join(import.meta.dirname, `versions/${version}/versioned.ts`);
  writeFileSync(join(versions, "versioned.ts"), `export { default } from "${pathToFileURL(file)}";\n`);
}

/** Kills the worker that has the process, or the first, and has it come back under its name. */
async function crash(pid: string): Promise<void> {
  const { owner } = (await view(pid)) ?? {};
  const worker = cluster.workers.find(({ name }) => String(owner).startsWith(`worker@${name}#`)) ?? cluster.workers[0];
  await worker?.kill();
  await worker?.start();
}

const driver: Driver = {
  start: async (module, { key, args, tags = [] }) => {
    const options = tags.length > 0 ? { tags } : {};
    return String((await read(client.start(module, key, { args, options })))["pid"]);
  },
  call: async (pid, message, { timeoutMs = CALL_MS } = {}) =>
    (await read(client.call(pid, message, { timeoutMs })))["reply"],
  cast: async (pid, message, options) => void (await read(client.cast(pid, message, options))),
  info: async (pid, message) => void (await read(client.info(pid, message))),
  stop: async (pid, reason) => void (await read(client.stop(pid, reason === undefined ? {} : { reason }))),
  kill: async (pid) => void (await act(pid, "kill")),
  pause: async (pid) => void (await act(pid, "pause")),
  resume: async (pid) => void (await act(pid, "resume")),
  unquarantine: async (pid) => void (await act(pid, "unquarantine")),
  crash,
  upgrade: async () => useVersion(2),
  status: async (pid) => (await view(pid))?.["status"] as string | undefined,
  state: async (pid) => (await view(pid))?.["state"],
  tags: async (pid) => ((await view(pid))?.["tags"] ?? []) as string[],
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

for (const { name, run } of suite) test(name, { timeout: 30_000 }, () => run(driver));

/**
 * The walk-through of the microservice cluster that one watches, with docker-compose. Run by `npm run test:docker` alone; what it
 * is like on `npm start` stands in test/story/microservice.test.ts.
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run } from "../tools/run.ts";
import { parsePrints, pausesOf } from "../tools/sysmon-prints.ts";
import { until } from "../tools/until.ts";
import { ComposeProject, docker } from "./compose.ts";

const READY = { withinMs: 90_000, everyMs: 200 };
const SOON = { withinMs: 30_000, everyMs: 100 };
/** The walk-through's own bound for what comes and goes. */
const SIX_SECONDS = { withinMs: 6_000, everyMs: 100 };
const LIMIT = { timeout: 5 * 60_000 };
const FOO = "ACBD18DB4CC2F85CEDEF654FCCC4A4D8";

let project: ComposeProject;

before(
  async () => {
    project = await ComposeProject.create({});
    await project.run("build");
    await project.run("up", "-d");
    await until(async () => (await fetch(`${project.url}/ready`).catch(() => undefined))?.status === 200, READY);
  },
  { timeout: 12 * 60_000 },
);

after(() => project?.remove(), { timeout: 2 * 60_000 });

async function readNames(role: string): Promise<string[]> {
  const { nodes } = (await (await fetch(`${project.sysmonUrl}/api/cluster`)).json()) as { nodes: { name: string }[] };
  return nodes.map(({ name }) => name).filter((name) => name.startsWith(`${role}@`));
}

const readPrints = async () => parsePrints(await docker("logs", "--tail", "200", await onlyContainer("sysmon")));

async function onlyContainer(service: string): Promise<string> {
  const [container = "", ...others] = await project.containers(service);
  assert.deepEqual(others, []);
  return container;
}

const scale = (apis: number, workers: number) =>
  project.run("up", "-d", "--no-recreate", "--scale", `api=${apis}`, "--scale", `worker=${workers}`);

/** As curl sends it without a header of one's own. */
async function post(
  data: string,
): Promise<{ status: number; retryAfter: string | null; body: Record<string, string> }> {
  const headers = { "content-type": "application/x-www-form-urlencoded", connection: "close" };
  const response = await fetch(`${project.url}/api/v1/work`, {
    method: "POST",
    headers,
    body: JSON.stringify({ data }),
  });
  const body = (await response.json()) as Record<string, string>;
  return { status: response.status, retryAfter: response.headers.get("retry-after"), body };
}

async function statusOf(callback = ""): Promise<string> {
  const response = await fetch(`${project.url}/api/v1/work/${callback}`, { headers: { connection: "close" } });
  return ((await response.json()) as { status: string }).status;
}

test("4.9.1: sysmon prints who is in the cluster every two seconds, and has its page", LIMIT, async () => {
  const prints = await until(async () => {
    const prints = await readPrints();
    return prints.filter(({ workers }) => workers.length === 1).length >= 3 && prints;
  }, SOON);
  assert.ok(
    pausesOf(prints).some((ms) => ms >= 1_000 && ms <= 3_000),
    String(pausesOf(prints)),
  );
  assert.equal((await fetch(project.sysmonUrl)).status, 200);
});

test(
  "4.9.2: a second worker is listed within six seconds once it has joined, and gone within six of its end",
  LIMIT,
  async () => {
    const [first = ""] = await readNames("worker");
    await scale(1, 2);
    for (const container of await project.containers("worker")) {
      await until(async () => (await docker("logs", container)).includes("session.registered"), SOON);
    }
    await until(async () => (await readNames("worker")).length === 2, SIX_SECONDS);
    await until(async () => (await readPrints()).at(-1)?.workers.length === 2, SIX_SECONDS);
    await scale(1, 1);
    await until(async () => (await readNames("worker")).join() === first, SIX_SECONDS);
  },
);

test("4.9.3, 4.9.5: with two apis dates are accepted by the one and the other in turn", LIMIT, async () => {
  await scale(2, 1);
  await until(async () => {
    const [a, b] = [await post("a"), await post("b")];
    return a.status === 200 && b.status === 200 && a.body["accepted_by"] !== b.body["accepted_by"];
  }, SOON);
  const accepted: (string | undefined)[] = [];
  for (let second = 0; second < 10; second++) {
    const { status, body } = await post(new Date(1_500_000_000_000 + 1_000 * second).toUTCString());
    assert.equal(status, 200, JSON.stringify(body));
    accepted.push(body["accepted_by"]);
  }
  // Sysmon prints every two seconds, and may not have heard of the second one yet.
  const names = await until(async () => {
    const names = await readNames("api");
    return names.length === 2 && names.sort();
  }, SOON);
  assert.deepEqual([...new Set(accepted)].sort(), names);
  assert.deepEqual(accepted.slice(2), accepted.slice(0, -2));
});

test("4.9.4, 4.9.6: foo is accepted as its MD5, then pending or working, then worked, then gone", LIMIT, async () => {
  const { status, body } = await post("foo");
  const { accepted_by, ...accepted } = body;
  assert.deepEqual([status, accepted], [200, { callback: FOO, data: "foo", status: "accepted" }]);
  assert.match(accepted_by ?? "", /^api@/);
  const seen: string[] = [];
  await until(async () => {
    const status = await statusOf(FOO);
    if (seen.at(-1) !== status) seen.push(status);
    return status === "404. not found!";
  }, SOON);
  assert.deepEqual(
    seen.filter((status) => status !== "pending"),
    ["working", "worked", "404. not found!"],
  );
});

test(
  "4.9.7: while Redis is stopped nothing dies and sysmon goes on; then members and work come back",
  LIMIT,
  async () => {
    const services = ["api", "worker", "sysmon", "lb"];
    const containers = (await Promise.all(services.map((service) => project.containers(service)))).flat();
    const readStarts = () =>
      docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}} {{.State.Running}}", ...containers);
    const starts = await readStarts();
    const names = (await Promise.all(["api", "worker", "sysmon"].map(readNames))).flat().sort();
    const before = (await post("before the stop")).body["callback"];
    await project.run("stop", "redis");
    const { status, retryAfter } = await post("meanwhile");
    assert.equal(status, 503);
    assert.match(retryAfter ?? "", /^[1-9]\d*$/);
    const countAway = async () => (await readPrints()).filter(({ redis }) => redis.startsWith("Redis is away")).length;
    await until(async () => (await countAway()) >= 4, SOON);
    assert.equal((await post("meanwhile")).status, 503);

    await project.run("start", "redis");
    const allNames = async () => (await Promise.all(["api", "worker", "sysmon"].map(readNames))).flat().sort();
    await until(async () => (await allNames()).join() === names.join(), SOON);
    await until(async () => (await statusOf(before)) === "worked", SOON);
    const { callback } = (
      await until(async () => {
        const answer = await post("after the start");
        return answer.status === 200 && answer;
      }, SOON)
    ).body;
    await until(async () => (await statusOf(callback)) === "worked", SOON);
    assert.equal(await readStarts(), starts, "every container is the one that it was");
  },
);

test("4.9.8: a shell joins in: it sees the nodes, starts a process and calls it", LIMIT, async () => {
  const lines = [
    "(await client.cluster()).nodes.length",
    '(await start("accumulator", { key: "shell", args: 40 })).pid',
    'await call("accumulator/shell", { add: 2 })',
  ];
  const printed = await project.pipe(lines.join("\n"), "run", "--rm", "-T", "shell");
  assert.deepEqual(printed.trim().split(/\r?\n/), ["4", "'accumulator/shell'", "42"]);
});

test("4.9.9: one command opens the dashboard in tmux", LIMIT, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tmux-"));
  const env = { ...project.env, TMUX: undefined, TMUX_TMPDIR: folder, EVERY_S: "1", LC_ALL: "C.UTF-8" };
  const ask = async (...args: string[]) => (await run("tmux", ["-f", "/dev/null", ...args], env)).stdout.trim();
  t.after(async () => {
    await ask("kill-server");
    rmSync(folder, { recursive: true, force: true });
  });
  const opened = await run("bash", ["dashboard.sh"], env);
  assert.deepEqual([opened.code, opened.stdout], [0, "attach with: tmux attach -t genserverless\n"]);
  const panes = (await ask("list-panes", "-t", "genserverless", "-F", "#{pane_id} #{pane_title}")).split("\n");
  for (const [title, wanted] of [
    ["sysmon", /^genserverless {2}\d nodes[\s\S]* 1 nodes {3}2 processes[\s\S]*api@/],
    ["api log", /^\S+ api@\S+ session\.registered /m],
    ["workers", /^\S+ worker@\S+ work /m],
    ["client", /^HTTP\/1.1 200 OK\nx-served-by: api@\S+\n\{\n {2}"reply": \d+,/m],
  ] as const) {
    const pane = panes.find((line) => line.endsWith(` ${title}`))?.split(" ", 1)[0] ?? "";
    const shows = async () => wanted.test(await ask("capture-pane", "-p", "-t", pane));
    await until(shows, { ...SOON, everyMs: 200, what: `${title} shows ${wanted}` });
  }
  assert.equal((await project.containers("api")).length, 2, "what was scaled stays so");
});

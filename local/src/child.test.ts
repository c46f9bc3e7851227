import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { until } from "../../test/tools/until.ts";
import { Child, type ChildExit, type ChildOptions, restartPauseMs } from "./child.ts";
import { ChildLog } from "./child-log.ts";
import { isAlive } from "./os-process.ts";

const SOON = { withinMs: 60_000 };
const LIVE = "setInterval(() => {}, 1000)";

function buildChild(t: TestContext, source: string, options: Partial<ChildOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "child-"));
  const file = join(folder, "child.log");
  const lines: string[] = [];
  const pids: number[] = [];
  const exits: ChildExit[] = [];
  const child = new Child({
    name: "child",
    command: process.execPath,
    args: ["-e", source],
    hasChannel: true,
    env: process.env,
    stopWithinMs: 20_000,
    log: new ChildLog("child", file, (line) => lines.push(line)),
    onStarted: (pid) => pids.push(pid),
    onExit: (exit) => exits.push(exit),
    ...options,
  });
  t.after(async () => {
    await child.stop();
    rmSync(folder, { recursive: true });
  });
  return { child, file, lines, pids, exits };
}

test("starts again what was killed, at once", async (t) => {
  const { child, pids, exits } = buildChild(t, LIVE);
  await child.start();
  process.kill(pids[0] as number, "SIGKILL");
  await until(() => pids.length === 2, SOON);
  assert.equal(exits[0]?.signal, "SIGKILL");
  assert.equal(exits[0]?.restartsInMs, 0);
});

test("waits longer each time for what keeps dying", async (t) => {
  const { child, exits } = buildChild(t, "process.exit(3)");
  await child.start();
  await until(() => exits.length === 3, SOON);
  assert.deepEqual(
    exits.map(({ code, deaths, restartsInMs }) => ({ code, deaths, restartsInMs })),
    [
      { code: 3, deaths: 1, restartsInMs: 0 },
      { code: 3, deaths: 2, restartsInMs: 250 },
      { code: 3, deaths: 3, restartsInMs: 500 },
    ],
  );
  assert.equal(restartPauseMs(100), 5_000);
});

test("knows the session that a node announced when it dies", async (t) => {
  const { child, exits, pids } = buildChild(t, `process.send({ session: 'worker@x#1' }); ${LIVE}`);
  await child.start();
  await until(() => child.session !== undefined, SOON);
  process.kill(pids[0] as number, "SIGKILL");
  await until(() => exits.length === 1, SOON);
  assert.equal(exits[0]?.session, "worker@x#1");
});

test("stop is safe twice, without start and between two lives", async (t) => {
  const stopped = Promise.withResolvers<void>();
  const { child, pids } = buildChild(t, "process.exit(1)", {
    onExit: () => {
      stopped.resolve(child.stop());
    },
  });
  await child.start();
  await stopped.promise;
  await child.stop();
  await child.start();
  assert.equal(pids.length, 1);
  await buildChild(t, LIVE).child.stop();
});

test("asks with the child's own signal, and kills what does not listen", async (t) => {
  const gentle = buildChild(t, `process.on('SIGUSR1', () => process.exit(7)); console.log('up'); ${LIVE}`, {
    stopSignal: "SIGUSR1",
  });
  await gentle.child.start();
  await until(() => gentle.lines.length === 1, SOON);
  await gentle.child.stop();
  assert.equal(gentle.exits[0]?.code, 7);
  assert.equal(gentle.exits[0]?.restartsInMs, undefined);

  const deaf = buildChild(t, `process.on('SIGTERM', () => {}); console.log('up'); ${LIVE}`, { stopWithinMs: 100 });
  await deaf.child.start();
  await until(() => deaf.lines.length === 1, SOON);
  await deaf.child.stop();
  assert.equal(isAlive(deaf.pids[0] as number), false);
});

test("passes JSON lines on unchanged, makes JSON of others, and keeps both as they were", async (t) => {
  const { child, lines, file } = buildChild(t, `console.log('{"msg":"mine"}'); console.error('plain'); ${LIVE}`);
  await child.start();
  await until(() => lines.length === 2, SOON);
  assert.equal(lines.includes('{"msg":"mine"}'), true);
  const wrapped = JSON.parse(lines.find((line) => line.includes("plain")) as string);
  assert.deepEqual({ ...wrapped, time: "" }, { level: "error", time: "", node: "child", msg: "plain" });
  assert.deepEqual(readFileSync(file, "utf8").trim().split("\n").sort(), ["plain", '{"msg":"mine"}']);
});

test("gives HAProxy's lines the level that they name", async (t) => {
  const said = ["[NOTICE]   (7) : new", "[WARNING]  (7) : Server down", "[ALERT]    (7) : no server", "cannot run"];
  const { child, lines } = buildChild(t, `console.error(${JSON.stringify(said.join("\n"))}); ${LIVE}`);
  await child.start();
  await until(() => lines.length === said.length, SOON);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)).map(({ level, msg }) => `${level} ${msg}`),
    ["info new", "warn Server down", "error no server", "error cannot run"],
  );
});

test("goes on when its log cannot be written", async (t) => {
  const { child, lines, file } = buildChild(t, `setInterval(() => console.log('tick'), 20)`);
  mkdirSync(file);
  writeFileSync(`${file}.1`, "");
  await child.start();
  await until(() => lines.length > 1, SOON);
  rmSync(file, { recursive: true });
  await until(() => readFileSync(file, "utf8").startsWith("tick\n"), SOON);
});

test("keeps the output of a quiet child to its file", async (t) => {
  const { child, lines, file } = buildChild(t, `console.log('picture'); ${LIVE}`, { isQuiet: true });
  await child.start();
  await until(() => readFileSync(file, "utf8") === "picture\n", SOON);
  assert.deepEqual(lines, []);
});

test("a program that does not exist is an error of start", async (t) => {
  const { child } = buildChild(t, "", { command: "/no/such/program" });
  await assert.rejects(child.start(), /ENOENT/);
});

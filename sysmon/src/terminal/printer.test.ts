import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { ClusterView } from "@genserverless/shared/inspect/views.ts";
import { Events } from "@genserverless/shared/service/events.ts";
import { clusterView } from "../view/sample.test-support.ts";
import { Watch } from "../watch.ts";
import { Printer } from "./printer.ts";

const EVERY_MS = 5;
const ESCAPE = "\x1b";

function buildPrinter(terminal?: { columns: number; rows: number }) {
  const redis = { isThere: true };
  const events = new Events();
  const told: string[] = [];
  events.listen(({ name }) => told.push(name));
  const readCluster = async (): Promise<ClusterView> => {
    if (!redis.isThere) throw new Error("connect ECONNREFUSED");
    return clusterView();
  };
  const output = Object.assign(
    new PassThrough({ encoding: "utf8", highWaterMark: 2048 }),
    terminal && { isTTY: true, ...terminal },
  );
  const watch = new Watch({ readCluster, events, beatMs: 1 });
  const printer = new Printer({ watch, output, events, everyMs: EVERY_MS });
  return { printer, output, redis, told };
}

async function readUntil(output: PassThrough, wanted: RegExp): Promise<string> {
  let text = "";
  for await (const chunk of output.iterator({ destroyOnReturn: false })) {
    text += chunk;
    if (wanted.test(text)) return text;
  }
  return assert.fail(`the output ended before ${wanted}: ${text}`);
}

test("appends the tables again and again where the output is no terminal", async () => {
  const { printer, output } = buildPrinter();
  await printer.start();
  const text = await readUntil(output, /(PROCESSES.*){3}/s);
  await printer.stop();
  assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}Redis 7\.0\.15, .*\nPROCESSES /);
  assert.ok(!text.includes(ESCAPE));
});

test("redraws a terminal in place, within its window", async () => {
  const { printer, output } = buildPrinter({ columns: 40, rows: 6 });
  await printer.start();
  const [first = ""] = (await readUntil(output, new RegExp(`${ESCAPE}\\[J`))).split(`${ESCAPE}[J`);
  await printer.stop();
  const lines = first.replace(`${ESCAPE}[H`, "").split(`${ESCAPE}[K\n`);
  assert.ok(first.startsWith(`${ESCAPE}[H`));
  assert.equal(lines.length, 6);
  assert.ok(lines.every((line) => line.length <= 40));
});

test("says that Redis is away, goes on, and shows the cluster when Redis is back", async () => {
  const { printer, output, redis } = buildPrinter();
  redis.isThere = false;
  await printer.start();
  await readUntil(output, /(waiting for it.*){2}/s);
  redis.isThere = true;
  await readUntil(output, /PROCESSES/);
  redis.isThere = false;
  await readUntil(output, /Redis is away: the last picture is \d/);
  redis.isThere = true;
  await readUntil(output, /PROCESSES/);
  await printer.stop();
});

test("keeps the last picture dimmed on a terminal while Redis is away", async () => {
  const { printer, output, redis } = buildPrinter({ columns: 80, rows: 24 });
  await printer.start();
  await readUntil(output, /PROCESSES/);
  redis.isThere = false;
  await readUntil(output, new RegExp(`${ESCAPE}\\[2m.*Redis is away.*PROCESSES.*${ESCAPE}\\[0m`, "s"));
  await printer.stop();
});

test("an output that is gone ends the printing and nothing else", async (t) => {
  const { printer, output, told } = buildPrinter();
  await printer.start();
  output.destroy(new Error("write EPIPE"));
  await t.waitFor(() => assert.deepEqual(told, ["terminal.lost"]), { timeout: 10_000 });
  await printer.stop();
});

test("an output that is held up is not written to until it drains", async (t) => {
  const { printer, output } = buildPrinter();
  await printer.start();
  await t.waitFor(() => assert.ok(output.writableNeedDrain), { timeout: 10_000 });
  const held = output.writableLength + output.readableLength;
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS * 10));
  assert.equal(output.writableLength + output.readableLength, held);
  let read = 0;
  while (read <= held) read += (await readUntil(output, /./)).length;
  await printer.stop();
});

test("is silent after stop; stop is safe twice and without start", async () => {
  const { printer, output } = buildPrinter();
  await printer.stop();
  await printer.start();
  await printer.start();
  await readUntil(output, /PROCESSES/);
  await printer.stop();
  await printer.stop();
  output.read();
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS * 4));
  assert.equal(output.read(), null);
});

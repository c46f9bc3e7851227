import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { assertNoChildLeft, Child, type ChildOptions } from "./child.ts";

const run = (name: string, source: string, options: Pick<ChildOptions, "env" | "stopWithinMs"> = {}) =>
  new Child({ name, command: process.execPath, args: ["-e", source], ...options });

const LIVE = "setInterval(() => {}, 1000); console.log('up')";

after(assertNoChildLeft);

test("a child's lines and JSON records can be waited for, early and late", async () => {
  const child = run("talker", 'console.log(\'hello\'); setTimeout(() => console.log(\'{"msg":"later","n":7}\'), 100)');
  await child.start();
  assert.equal(await child.untilLine(/^hel/, { withinMs: 20_000 }), "hello");
  const record = await child.untilRecord(({ msg }) => msg === "later", { withinMs: 20_000 });
  assert.equal(record["n"], 7);
  assert.deepEqual(await child.untilExit(), { code: 0, signal: null });
  assert.equal(child.records.length, 1);
});

test("a line that never comes is an error as soon as the child has exited, with its last words", async () => {
  const child = run("mute", "console.error('no idea'); process.exit(3)");
  await child.start();
  await assert.rejects(child.untilLine(/never/, { withinMs: 60_000 }), /exited first: mute prints .*\nno idea/s);
});

test("a child sees the environment it was given and nothing else of its parent's", async () => {
  process.env["STRAY_SETTING"] = "stray";
  const child = run("envy", "console.log(process.env.STRAY_SETTING, process.env.GIVEN)", { env: { GIVEN: "yes" } });
  await child.start();
  assert.equal(await child.untilLine(/./, { withinMs: 20_000 }), "undefined yes");
  await child.untilExit();
  delete process.env["STRAY_SETTING"];
});

test("what a child leaves in the temporary folder goes with this process", async () => {
  const leave = `require("node:fs").writeFileSync(require("node:os").tmpdir() + "/trace", "")`;
  const source = `
    import { Child } from ${JSON.stringify(join(import.meta.dirname, "child.ts"))};
    const child = new Child({ name: "leaver", command: process.execPath, args: ["-e", ${JSON.stringify(leave)}] });
    await child.start();
    await child.untilExit();
    console.log(process.env.TMPDIR, (await import("node:fs")).existsSync(process.env.TMPDIR + "/trace"));
  `;
  const parent = new Child({ name: "parent", command: process.execPath, args: ["--input-type=module", "-e", source] });
  await parent.start();
  const [folder = "", isLeft] = (await parent.untilLine(/./, { withinMs: 20_000 })).split(" ");
  await parent.untilExit();
  assert.equal(isLeft, "true");
  assert.equal(existsSync(folder), false);
});

test("stop is safe twice, without start, and on a paused child; a stopped child starts again", async () => {
  const child = run("stopper", LIVE);
  await child.stop();
  await child.start();
  await child.untilLine(/up/, { withinMs: 20_000 });
  await child.pause();
  await child.stop();
  await child.stop();
  assert.equal(child.isAlive, false);
  await child.start();
  assert.equal(child.isAlive, true);
  await child.kill();
  assert.deepEqual(await child.untilExit(), { code: null, signal: "SIGKILL" });
});

test("a child that ignores SIGTERM is killed, and stop says so", async () => {
  const child = run("stubborn", `process.on('SIGTERM', () => {}); ${LIVE}`, { stopWithinMs: 500 });
  await child.start();
  await child.untilLine(/up/, { withinMs: 20_000 });
  await assert.rejects(child.stop(), /stubborn leaves after SIGTERM/);
  assert.equal(child.isAlive, false);
});

test("the leak check names a child that is still alive", async () => {
  const child = run("leak", LIVE);
  await child.start();
  assert.throws(assertNoChildLeft, /leak/);
  await child.kill();
});

test("a command that does not exist is an error of start", async () => {
  await assert.rejects(new Child({ name: "none", command: "no-such-command", args: [] }).start(), /ENOENT/);
});

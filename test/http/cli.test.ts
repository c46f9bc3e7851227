import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { type Ran, runIn } from "@genserverless/cli/run.test-support.ts";
import { assertNoChildLeft, type Child, nodeChild } from "../tools/child.ts";
import { findExamples, needsFunctions } from "../tools/cli-examples.ts";
import { ClusterClient } from "../tools/cluster-client.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/**
 * The command line as its users meet it. Shells, pipes, signals and what follows without an end have a process of their own
 * for each command; all others are run in this one, as main.ts runs them.
 */

const ROOT = join(import.meta.dirname, "../..");
const MAIN = join(ROOT, "cli/src/main.ts");
const TOKEN = "a-token-of-the-test";
const SOON = { withinMs: 10_000 };

const CALLER_FOLDER = process.cwd();
const cluster = new TestCluster({ modulesDir: "modules:test/modules", env: { WORK_PAUSE_MS: "300" } });
/** The second api wants a token. */
const client = new ClusterClient(() => cluster.urls.slice(0, 1));
let folder: string;
let guardedUrl: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "cli-"));
  process.chdir(folder);
  writeFileSync(join(folder, "genserverless"), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  chmodSync(join(folder, "genserverless"), 0o755);
  await cluster.start();
  const guarded = await cluster.addApi({ API_TOKEN: TOKEN });
  guardedUrl = guarded.url ?? "";
  await cluster.untilReady();
});
after(async () => {
  await client.close();
  await cluster.stop();
  process.chdir(CALLER_FOLDER);
  rmSync(folder, { recursive: true });
  assertNoChildLeft();
});

/** The settings of one that talks to the api without a token. */
function settings(env: Record<string, string> = {}): Record<string, string> {
  const path = `${folder}:${process.env["PATH"]}`;
  const cache = join(ROOT, ".cache/compile");
  return { PATH: path, HOME: folder, NODE_COMPILE_CACHE: cache, GENSERVERLESS_URL: cluster.urls[0] ?? "", ...env };
}

/** In a process of its own. */
async function runCommand(command: string, args: string[], env = {}, input = ""): Promise<Ran> {
  const child = spawn(command, args, { cwd: folder, env: settings(env), stdio: "pipe" });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const closed = once(child, "close");
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: Number((await closed)[0]), stdout, stderr };
}

const cli = (...args: string[]) => cliWith({}, ...args);
const cliWith = (env: Record<string, string>, ...args: string[]) => runIn({ env: settings(env) }, ...args);

async function answerOf(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await cli(...args, "--json");
  assert.deepEqual([code, stderr], [0, ""], args.join(" "));
  return JSON.parse(stdout);
}

/** One that goes on until it is told to stop. */
function follow(...args: string[]): Child {
  return nodeChild({ name: args.join(" "), script: MAIN, args, env: settings(), cwd: folder });
}

async function end(child: Child): Promise<void> {
  child.signal("SIGINT");
  await child.untilExit();
}

/** A process that answers nobody until it is resumed. */
async function startPaused(module: string, key: string): Promise<void> {
  await client.start(module, key);
  assert.equal((await client.act(`${module}/${key}`, "pause")).status, 200);
}

test("a process is started, cast to, called and stopped, and scripts read the answers as JSON", async () => {
  assert.deepEqual(await answerOf("start", "accumulator/script", "100"), {
    pid: "accumulator/script",
    status: "idle",
    created: true,
  });
  const { messageId } = await answerOf("cast", "accumulator/script", "10");
  assert.equal((await answerOf("message", String(messageId), "--wait", "5s"))["status"], "done");
  assert.deepEqual(await answerOf("call", "accumulator/script", '{"add":-20}', "--timeout", "5s"), { reply: 90 });
  const view = await answerOf("inspect", "accumulator/script");
  assert.deepEqual([view["pid"], view["state"]], ["accumulator/script", { acc: 90, count: 2 }]);
  assert.equal("state" in (await answerOf("inspect", "accumulator/script", "--no-state")), false);
  assert.deepEqual(await answerOf("stop", "accumulator/script"), { reason: "normal" });
});

test("a message comes from standard input where it is a dash", async () => {
  await client.start("stack", "piped");
  const { code } = await runCommand("genserverless", ["cast", "stack/piped", "-"], {}, '{"push":\n"deep"}\n');
  assert.equal(code, 0);
  assert.deepEqual(await cli("call", "stack/piped", "pop"), { code: 0, stdout: '"deep"\n', stderr: "" });
});

test("a list is a line of JSON for each of its items, and says on stderr when there is more", async () => {
  for (const key of ["a", "b", "c"]) await client.start("notebook", `listed-${key}`, { options: { tags: ["listed"] } });
  const all = await cli("ps", "--tag", "listed", "--module", "notebook", "--json");
  const pids = all.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).pid);
  assert.deepEqual(pids.toSorted(), ["notebook/listed-a", "notebook/listed-b", "notebook/listed-c"]);
  const some = await cli("ps", "--tag", "listed", "--limit", "2");
  assert.match(some.stdout, /^PID +STATUS .*\nnotebook\/listed-. +idle .*\nnotebook\/listed-. +idle .*\n$/);
  assert.match(some.stderr, /^there are more than 2: --limit, or --all\n$/);
  assert.deepEqual(await cli("ps", "--tag", "nobody"), { code: 0, stdout: "", stderr: "no processes\n" });
});

test("what the cluster refuses is 1, a token that is missing or wrong 5, a reply that does not come 4", async () => {
  const refused = await cli("call", "accumulator/nobody", "total");
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /^genserverless: no_process: [^\n]+\n$/);
  const missing = await cliWith({ GENSERVERLESS_URL: guardedUrl }, "nodes");
  assert.equal(missing.code, 5);
  assert.match(missing.stderr, /^genserverless: unauthorized: [^\n]+set API_TOKEN, or give --token\)\n$/);
  assert.equal((await cliWith({ API_TOKEN: "wrong" }, "nodes", "--url", guardedUrl)).code, 5);
  assert.equal((await cliWith({ API_TOKEN: TOKEN }, "nodes", "--url", guardedUrl)).code, 0);
  assert.equal((await cli("nodes", "--url", guardedUrl, "--token", TOKEN)).code, 0);
  await startPaused("sleeper", "long");
  const late = await cli("call", "sleeper/long", "0", "--timeout", "100ms");
  assert.equal(late.code, 4);
  assert.match(late.stderr, /^genserverless: call_timeout: [^\n]+ \(message [^\n]+\)\n$/);
});

test("a cluster that is away, or does not answer in time, is told in one line", async () => {
  const away = await cli("ps", "--url", "http://127.0.0.1:1");
  assert.deepEqual([away.code, away.stdout], [3, ""]);
  assert.match(away.stderr, /^genserverless: cannot reach the cluster at http:\/\/127\.0\.0\.1:1: [^\n]+\n$/);
  await startPaused("sleeper", "busy");
  const slow = await cli("stop", "sleeper/busy", "--timeout", "100ms");
  assert.equal(slow.code, 4);
  // The api still waits for the stop, and leaves when it is done.
  await client.act("sleeper/busy", "resume");
  assert.match(slow.stderr, /^genserverless: no answer within --timeout; [^\n]+\n$/);
});

test("what a process holds reaches no terminal as control characters", async () => {
  await client.start("stack", "nasty", { args: ["\x1b[2J\u202e\u009b1m"] });
  for (const args of [
    ["call", "stack/nasty", "peek"],
    ["inspect", "stack/nasty"],
    ["export", "stack/nasty"],
  ]) {
    const { code, stdout } = await cli(...args);
    assert.equal(code, 0);
    assert.ok(stdout.includes("\\u001b[2J\\u202e\\u009b1m"), stdout);
    assert.doesNotMatch(stdout, /[\u202e\u009b]/);
  }
});

test("dead letters are listed, put back and dropped", async () => {
  await client.start("stack", "letters");
  const { body } = await client.cast("stack/letters", "nonsense");
  await client.cast("stack/letters", "nonsense again");
  const messageId = String(body["messageId"]);
  const list = () => cli("dead-letters", "list", "stack/letters");
  await until(async () => (await list()).stdout.split("\n").length === 4, SOON);
  assert.match((await list()).stdout, /^MESSAGE .*\n.*"nonsense again"\n.*stack takes .*"nonsense"\n$/);
  assert.equal((await cli("dead-letters", "retry", "stack/letters", messageId)).stdout, "1 put back\n");
  await until(async () => (await list()).stdout.split("\n").length === 4, SOON);
  assert.equal((await cli("dead-letters", "drop", "stack/letters", messageId)).stdout, "1 dropped\n");
  assert.deepEqual(await answerOf("dead-letters", "drop", "stack/letters", "--all"), { dropped: 1 });
});

test("many processes are paused and resumed at once, and counted beforehand", async () => {
  for (const key of ["a", "b"]) await client.start("notebook", `many-${key}`, { options: { tags: ["many"] } });
  assert.deepEqual(await answerOf("bulk", "pause", "--tag", "many", "--dry-run"), { matched: 2, done: 0, failed: [] });
  assert.equal((await cli("bulk", "pause", "--tag", "many")).stdout, "2 matched, 2 done, 0 failed\n");
  assert.equal((await client.read("notebook/many-a")).body["status"], "paused");
  assert.deepEqual(await answerOf("bulk", "resume", "--tag", "many"), { matched: 2, done: 2, failed: [] });
});

test("a document is written for its owner alone, and read back under another name", async () => {
  await client.start("stack", "exported", { args: ["kept"] });
  assert.equal((await cli("export", "stack/exported", "--to", "exported.json")).code, 0);
  assert.equal(statSync(join(folder, "exported.json")).mode & 0o777, 0o600);
  const document = readFileSync(join(folder, "exported.json"), "utf8");
  assert.equal((await cli("import", "exported.json")).code, 1, "it is there");
  const read = await runCommand("genserverless", ["import", "-", "--as", "stack/imported"], {}, document);
  assert.deepEqual(read, { code: 0, stdout: "stack/imported idle\n", stderr: "" });
  assert.equal((await cli("call", "stack/imported", "peek")).stdout, '"kept"\n');
  const broken = await runCommand("genserverless", ["import", "-"], {}, "nonsense");
  assert.deepEqual([broken.code, broken.stderr], [2, "genserverless: standard input is not JSON (see --help)\n"]);
});

test("top and ps --watch are drawn again and again, one below the other without a terminal", async () => {
  await client.start("notebook", "watched");
  const top = await cli("top", "--every", "10ms", "--count", "2");
  assert.equal(top.code, 0);
  assert.equal(top.stdout.match(/^Processes: /gm)?.length, 2);
  assert.match(top.stdout, /^worker +worker@worker-1 /m);
  assert.ok(!top.stdout.includes("\x1b"));
  const ps = await cli("ps", "--watch", "--every", "10ms", "--count", "2", "--json");
  assert.equal(
    ps.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).length > 0).length,
    2,
  );
  const endless = follow("top", "--every", "20ms");
  await endless.start();
  await until(() => endless.stdout.filter((line) => line.startsWith("Processes: ")).length > 2, SOON);
  await end(endless);
});

test("logs are followed as they come, and filtered", async () => {
  const logs = follow("logs", "accumulator/logged", "--follow", "--json");
  await logs.start();
  await client.start("accumulator", "logged", { args: 5 });
  const initial = await logs.untilRecord((record) => record["msg"] === "accumulator init", SOON);
  assert.deepEqual([initial["pid"], initial["initial"]], ["accumulator/logged", 5]);
  await client.start("accumulator", "other");
  await client.cast("accumulator/logged", 10);
  await logs.untilRecord((record) => record["msg"] === "accumulator cast", SOON);
  await end(logs);
  assert.deepEqual([...new Set(logs.records.map((record) => record["pid"]))], ["accumulator/logged"]);
  const past = await cli("logs", "accumulator/logged", "--tail", "1");
  assert.match(past.stdout, /^\S+ info +worker@worker-1 accumulator\/logged accumulator cast .*val=10/);
  assert.equal(past.stdout.split("\n").length, 2);
});

test("a journal is listed, shown as it was, and followed", async () => {
  const pid = "cart/listed";
  const add = (name: string) => client.call(pid, { addItem: { productId: name, name, quantity: 1 } });
  for (const name of ["a", "b", "c"]) await add(name);
  const all = await cli("journal", pid);
  assert.deepEqual([all.code, all.stderr], [0, ""]);
  assert.match(all.stdout, /^ +1 {2}\S+Z {2}itemAdded \{"productId":"a".*\n +2 .*\n +3 .*\n$/);
  const some = await cli("journal", pid, "--from", "2", "--limit", "1", "--json");
  assert.equal(JSON.parse(some.stdout).sequence, 2);
  assert.equal(some.stderr, "there is more, up to event 3: --limit, or --from 3\n");
  const shown = await answerOf("journal", pid, "--at", "1");
  assert.deepEqual(shown["state"], { items: [{ productId: "a", name: "a", quantity: 1 }] });
  const followed = follow("journal", pid, "--follow", "--from", "3", "--json");
  await followed.start();
  await followed.untilRecord((record) => record["sequence"] === 3, SOON);
  await add("d");
  await followed.untilRecord((record) => record["sequence"] === 4, SOON);
  await end(followed);
  assert.equal((await cli("journal", pid, "--at", "1", "--follow")).code, 2);
  const { code, stderr } = await cli("journal", "accumulator/alice");
  assert.deepEqual([code, stderr.slice(0, 25)], [1, "genserverless: no_process"]);
});

test("work is posted and followed until it is worked", async () => {
  const { code, stdout } = await cli("work", "post", "cli", "--follow");
  const lines = stdout.trimEnd().split("\n");
  assert.equal(code, 0);
  assert.match(lines[0] ?? "", /^[0-9A-F]{32} accepted$/);
  assert.equal(lines.at(-1), "worked");
  const unknown = await cli("work", "status", "0".repeat(32));
  assert.deepEqual([unknown.code, unknown.stderr], [1, "genserverless: http_404: 404. not found!\n"]);
});

test("the shell runs the lines of standard input one after the other, with await and the client", async () => {
  const lines = [
    'const { pid } = await start("accumulator", { key: "typed", args: 1 })',
    "await at(pid).cast(10)",
    "const double = async (pid) => {",
    '  return 2 * await call(pid, "total")',
    "}",
    "await double(pid)",
    "(await list({ module: 'accumulator' })).processes.some((one) => one.pid === pid)",
  ];
  const { code, stdout, stderr } = await runCommand("genserverless", ["shell"], {}, lines.join("\n"));
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual(stdout.trimEnd().split("\n").slice(-2), ["22", "true"]);
});

test("the shell goes on after what fails, tells it in a line, and ends with 1", async () => {
  const lines = ['await call("accumulator/nobody", "total")', "1 + 1", "unfinished("];
  const { code, stdout, stderr } = await runCommand("genserverless", ["shell"], {}, lines.join("\n"));
  assert.equal(stdout, "Uncaught ProblemError: no_process: there is no process accumulator/nobody\n2\n");
  assert.deepEqual([code, stderr], [1, "genserverless: 2 of the statements failed\n"]);
});

test("bash completes commands, modules and pids with the script that is printed", async () => {
  await client.start("accumulator", "tabbed");
  /** Nothing is offered where the cluster takes longer than a tab may. */
  const complete = (...words: string[]) => {
    const script = `source <(genserverless completion bash); COMP_WORDS=(genserverless ${words.join(" ")});
      COMP_CWORD=${words.length}; compopt() { :; }; _genserverless; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return until(async () => (await runCommand("bash", ["-c", script])).stdout.trim(), SOON);
  };
  assert.equal(await complete("dead-letters", "''"), "list\nretry\ndrop");
  assert.equal(await complete("call", "acc"), "account/\naccumulator/");
  assert.equal(await complete("call", "accumulator/tab"), "accumulator/tabbed");
});

/** Those that go on for ever are run by tests of their own. */
const ENDLESS = /^genserverless (top$|top --every|logs --follow|journal \S+ --follow)/;

test("every example of the help is a command that works", { timeout: 180_000 }, async () => {
  let left = 0;
  for (const { name, line } of findExamples()) {
    if (ENDLESS.test(line) || needsFunctions(line)) continue;
    const env = await prepare(name);
    const { code, stderr } = await runLine(line, env);
    assert.equal(code, 0, `${line}: ${stderr}`);
    left++;
  }
  assert.ok(left > 40);
});

/** A command alone is run here, with the shell's quotes taken off; all else is a shell's. */
function runLine(line: string, env: Record<string, string>): Promise<Ran> {
  const [name, ...words] = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word = ""]) => quoted ?? word);
  if (name !== "genserverless" || words[0] === "shell" || / [|<>] /.test(line))
    return runCommand("sh", ["-c", line], env);
  return cliWith(env, ...words.map((word) => (word.startsWith("$") ? (env[word.slice(1)] ?? "") : word)));
}

/** What an example finds: alice, and what its command is about. */
async function prepare(name: string): Promise<Record<string, string>> {
  const alice = "accumulator/alice";
  if (name === "journal") {
    const item = { productId: "1", name: "pen", quantity: 1 };
    for (let time = 0; time < 10; time++) await client.call("cart/viktor", { addItem: item });
  }
  if (name === "start") await client.stop(alice);
  else await client.start("accumulator", "alice", { args: 100, ifExists: "return" });
  if (name === "import") {
    await client.act("accumulator/bob", "kill");
    await client.stop("accumulator/bob");
  }
  if (name === "skip") {
    await client.act(alice, "pause");
    await until(async () => (await client.read(alice)).body["owner"] === null, SOON);
    await client.cast(alice, 10);
  } else await client.act(alice, "resume");
  if (name !== "message" && name !== "cancel") return {};
  const { body } = await client.cast(alice, 10, { delayMs: name === "cancel" ? 3_600_000 : 0 });
  return { MESSAGE: String(body["messageId"]) };
}

test("while Redis is away the command line says so and ends with 3", async () => {
  const { redis } = cluster;
  await redis.kill();
  const { code, stderr } = await runCommand("genserverless", ["ps"]);
  assert.equal(code, 3);
  assert.match(stderr, /^genserverless: redis_unavailable: [^\n]+\n$/);
  await redis.restart();
  await cluster.untilReady();
});

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { after, before, test } from "node:test";
import type { Command } from "commander";
import { buildProgram } from "./program.ts";
import { run } from "./run.ts";
import type { Io } from "./settings.ts";

/** Where nothing listens: the port of a server that has closed. */
let nowhere: string;
/** What is no cluster: it answers everything with the path as its error code. */
const stranger = createServer((req, res) => {
  const code = new URL(req.url ?? "", "http://host").pathname.split("/").at(-1) ?? "";
  res.writeHead(STATUSES[code] ?? 500, { "content-type": "application/problem+json" });
  res.end(code === "html" ? "<html>\x1b[2J" : JSON.stringify({ code, detail: "\x1b[2Jas\nasked" }));
});
const STATUSES: Record<string, number> = {
  no_process: 404,
  redis_unavailable: 503,
  call_timeout: 504,
  unauthorized: 401,
};
const urlOf = (server: typeof stranger) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

before(async () => {
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  nowhere = urlOf(closed);
  closed.close();
  stranger.listen(0, "127.0.0.1");
  await once(stranger, "listening");
});
after(() => stranger.close());

async function runWith(env: Io["env"], ...args: string[]) {
  const written = { stdout: "", stderr: "" };
  const into = (name: keyof typeof written) =>
    new Writable({
      write(chunk, _encoding, done) {
        written[name] += chunk;
        done();
      },
    });
  const io: Io = { stdin: Readable.from([]), stdout: into("stdout"), stderr: into("stderr"), env };
  return { code: await run(args, io), ...written };
}

test("a command line that is wrong is told in one line, with the exit code 2, and nothing is sent", async () => {
  const cases: [string[], RegExp][] = [
    [["nodse"], /unknown command 'nodse' \(Did you mean nodes\?\)/],
    [["nodes", "--jsno"], /unknown option '--jsno' \(Did you mean --json\?\)/],
    [["nodes", "more"], /too many arguments/],
    [["call", "accumulator/alice"], /missing required argument 'message'/],
    [["call", "alice", "total"], /'alice' is invalid for argument 'pid'/],
    [["call", "../alice", "total"], /It is module\/key/],
    [["call", "accumulator/alice", "{add:1}"], /looks like JSON/],
    [["ps", "--status", "asleep"], /Allowed choices are starting, running/],
    [["ps", "--limit", "0"], /whole number from 1/],
    [["nodes", "--timeout", "soon"], /a duration is e\.g\. 500ms/],
    [["nodes", "--url", "localhost"], /--url must give a URL/],
    [["nodes", "--token", "a b"], /--token must be visible ASCII/],
    [["dead-letters", "drop", "accumulator/alice"], /name one message, or give --all/],
    [["dead-letters", "drop", "accumulator/alice", "1-x", "--all"], /name one message, or give --all/],
    [["bulk", "kill"], /give a filter, or --all alone/],
    [["bulk", "kill", "--all", "--module", "stack"], /give a filter, or --all alone/],
    [["import", "/nonexistent.json"], /no such file/],
  ];
  for (const [args, told] of cases) {
    const { code, stdout, stderr } = await runWith({ GENSERVERLESS_URL: nowhere }, ...args);
    assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    assert.match(stderr, told);
    assert.match(stderr, /^genserverless: [^\n]+ \(see --help\)\n$/);
  }
});

test("a setting that is wrong is named", async () => {
  assert.match((await runWith({ GENSERVERLESS_URL: "x" }, "nodes")).stderr, /GENSERVERLESS_URL must give a URL/);
  assert.match((await runWith({ LB_PORT: "x" }, "nodes")).stderr, /LB_PORT must give a URL/);
  assert.match((await runWith({ API_TOKEN: "ä" }, "nodes")).stderr, /API_TOKEN must be visible ASCII/);
});

test("the port is that of LB_PORT where no URL is given", async () => {
  const { code, stderr } = await runWith({ LB_PORT: new URL(nowhere).port }, "nodes");
  assert.equal(code, 3);
  assert.match(stderr, /^genserverless: cannot reach the cluster at http:\/\/127\.0\.0\.1:\d+: no answer: [^\n]+\n$/);
  assert.ok(stderr.includes(nowhere));
});

test("what the cluster says is told in one printable line, and the exit code says what kind it is", async () => {
  const kinds = { no_process: 1, redis_unavailable: 3, call_timeout: 4, unauthorized: 5 };
  for (const [code, exitCode] of Object.entries(kinds)) {
    const answer = await runWith({ GENSERVERLESS_URL: urlOf(stranger) }, "message", code);
    assert.equal(answer.code, exitCode, code);
    assert.ok(answer.stderr.startsWith(`genserverless: ${code}: \\u001b[2Jas\\u000aasked`), answer.stderr);
    assert.equal(answer.stderr.indexOf("\n"), answer.stderr.length - 1);
  }
});

test("what is no cluster's answer is told as such", async () => {
  const { code, stderr } = await runWith({ GENSERVERLESS_URL: urlOf(stranger) }, "message", "html");
  assert.equal(code, 1);
  assert.match(stderr, /^genserverless: http_500: the answer is not the cluster's: <html>\\u001b\[2J\n$/);
});

function leaves(command: Command, words: string[] = []): string[][] {
  if (command.commands.length === 0) return [words];
  return command.commands.flatMap((one) => leaves(one, [...words, one.name()]));
}

const commands = leaves(buildProgram({ ...process, env: {} })).filter(([name]) => name !== "complete");

test("docs/cli.md has every command, and no other", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/cli.md"), "utf8");
  const told = [...page.matchAll(/^\| `([a-z][a-z -]*?)(?: [<[].*?)?` \|/gm)].map(([, name = ""]) => name);
  assert.deepEqual(told.toSorted(), commands.map((words) => words.join(" ")).toSorted());
});

test("help is no failure, is printed on stdout, and shows an example of every command", async () => {
  const general = await runWith({}, "--help");
  assert.equal(general.code, 0);
  assert.match(general.stdout, /Exit codes:\n {2}0 {2}done/);
  assert.ok(commands.length > 30);
  for (const words of commands) {
    const { code, stdout, stderr } = await runWith({}, ...words, "--help");
    assert.deepEqual([code, stderr], [0, ""], words.join(" "));
    assert.match(stdout, new RegExp(`Examples:\\n  \\$ .*genserverless ${words.join(" ")}`), words.join(" "));
    assert.match(stdout, /Global Options:\n {2}--url/);
  }
});

test("without a command there is the help on stderr, and the exit code of wrong usage", async () => {
  const { code, stdout, stderr } = await runWith({});
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^Usage: genserverless/);
});

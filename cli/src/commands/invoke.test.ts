import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, test } from "node:test";
import { answer, runAgainst, runIn, type Serve } from "../run.test-support.ts";

const folder = mkdtempSync(join(tmpdir(), "invoke-"));
after(() => rmSync(folder, { recursive: true }));

/** A function's own answer. */
const own =
  (status: number, body: string | Buffer): Serve =>
  (_request, response) =>
    response.writeHead(status, { "x-function-cold-start": "0" }).end(body);

const API = ["invoke", "alice-shop", "API"];

test("the answer is printed as it is, byte by byte, and on a terminal without control characters", async () => {
  const plain = await runAgainst([own(200, "Hello,\n\x1b[2JWorld")], {}, ...API);
  assert.deepEqual([plain.code, plain.stdout, plain.stderr], [0, "Hello,\n\x1b[2JWorld", ""]);
  assert.equal(plain.requests[0]?.line, "GET /invoke/alice-shop/API");
  const shown = await runAgainst([own(200, "a\tb\r\n\x1b[2Jé")], { terminal: ["stdout"] }, ...API);
  assert.equal(shown.stdout, "a\tb\r\n\\u001b[2Jé");
});

test("a function that answers with an error has its body printed, and ends with 1", async () => {
  const { code, stdout, stderr } = await runAgainst([own(503, "sold out\n")], {}, ...API);
  assert.deepEqual([code, stdout], [1, "sold out\n"]);
  assert.equal(stderr, "genserverless: alice-shop/API answered 503\n");
});

test("an error that is not the function's own is one line on stderr", async () => {
  const unknown = await runAgainst([answer(404, { message: "function not found!" })], {}, ...API);
  assert.deepEqual(
    [unknown.code, unknown.stdout, unknown.stderr],
    [1, "", "genserverless: http_404: function not found!\n"],
  );
  const cases: [status: number, code: string, exitCode: number][] = [
    [504, "function_timeout", 4],
    [502, "function_died", 1],
    [429, "queue_full", 1],
    [503, "no_capacity", 3],
  ];
  for (const [status, code, exitCode] of cases) {
    const body = { code, detail: "as it is" };
    const ran = await runAgainst([answer(status, body, { "x-function-problem": code })], {}, ...API);
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [exitCode, "", `genserverless: ${code}: as it is\n`]);
  }
  const built = await runAgainst([answer(503, { message: "project is being built" })], {}, ...API);
  assert.deepEqual([built.code, built.stderr], [3, "genserverless: http_503: project is being built\n"]);
});

test("an answer that breaks off is told, behind what came", async () => {
  const half: Serve = (_request, response) => {
    response.writeHead(200, { "x-function-cold-start": "1", "content-length": 100 });
    response.write("half of it", () => setImmediate(() => response.destroy()));
  };
  const { code, stdout, stderr } = await runAgainst([half], {}, ...API);
  assert.deepEqual([code, stdout], [1, "half of it"]);
  assert.match(stderr, /^genserverless: the answer broke off: [^\n]+\n$/);
});

test("method, path, query, headers and body are sent as they are given", async () => {
  const args = [
    ...API,
    "/orders/1?open=1",
    "-X",
    "put",
    "-H",
    "X-Customer: 7",
    "-H",
    "accept:text/html",
    "-d",
    '{"a":1}',
  ];
  const { requests } = await runAgainst([own(200, "")], {}, ...args);
  const [sent] = requests;
  assert.deepEqual([sent?.line, sent?.body], ["PUT /invoke/alice-shop/API/orders/1?open=1", '{"a":1}']);
  assert.partialDeepStrictEqual(sent?.headers, {
    "x-customer": "7",
    accept: "text/html",
    "content-type": "application/json",
  });
});

test("a body comes from a file or from standard input, and makes the request a POST", async () => {
  const file = join(folder, "body.bin");
  writeFileSync(file, "from a file");
  const read = await runAgainst([own(200, "")], {}, ...API, "-d", `@${file}`);
  assert.deepEqual([read.requests[0]?.line, read.requests[0]?.body], ["POST /invoke/alice-shop/API", "from a file"]);
  assert.equal(read.requests[0]?.headers["content-type"], "application/octet-stream");
  const piped = await runAgainst(
    [own(200, "")],
    { input: "piped" },
    ...API,
    "?x=1",
    "-d",
    "-",
    "-H",
    "content-type: a/b",
  );
  assert.deepEqual([piped.requests[0]?.line, piped.requests[0]?.body], ["POST /invoke/alice-shop/API?x=1", "piped"]);
  assert.equal(piped.requests[0]?.headers["content-type"], "a/b");
});

test("an answer that comes before the end of standard input is not held up by it", { timeout: 20_000 }, async () => {
  const input = new PassThrough();
  input.write("begun");
  const early: Serve = (_request, response) => response.writeHead(200, { "x-function-cold-start": "0" }).end("early");
  const { code, stdout } = await runAgainst([early], { input, readsBody: false }, ...API, "-d", "-");
  assert.deepEqual([code, stdout, input.destroyed], [0, "early", true]);
});

test("with --json an answer is one line: status, headers and body", async () => {
  const shown = await runAgainst([own(201, "made\x1b")], {}, ...API, "--json");
  assert.partialDeepStrictEqual(JSON.parse(shown.stdout), { status: 201, body: "made\x1b" });
  assert.ok(!shown.stdout.includes("\x1b"));
  const bytes = await runAgainst([own(200, Buffer.from([0xff, 0xfe]))], {}, ...API, "--json");
  assert.equal(JSON.parse(bytes.stdout).bodyBase64, "//4=");
});

test("--tick runs a cron function now, and prints the id of the run", async () => {
  const args = ["invoke", "alice-shop", "Ticker", "--tick"];
  const { code, stdout, requests } = await runAgainst([answer(202, { run: "5-a" })], {}, ...args);
  assert.deepEqual([code, stdout, requests[0]?.line], [0, "5-a\n", "POST /ticks/alice-shop/Ticker"]);
});

test("what cannot be sent is told before anything is", async () => {
  const cases: [string[], RegExp][] = [
    [["/../../bob-shop/API"], /leads out of the function/],
    [["-H", "no colon"], /It is 'Name: value'/],
    [["-H", "a: b\nc: d"], /It is 'Name: value'/],
    [["-X", "GET /"], /It is e\.g\. GET/],
    [["-d", "@/nonexistent"], /no such file/],
    [["-d", `@${folder}`], /is a folder/],
    [["--tick", "-d", "x"], /--tick runs a cron function/],
  ];
  for (const [args, told] of cases) {
    const { code, stderr } = await runIn({ env: { GENSERVERLESS_URL: "http://127.0.0.1:1" } }, ...API, ...args);
    assert.deepEqual([code, told.test(stderr)], [2, true], `${args.join(" ")}: ${stderr}`);
  }
});

/** What an operator allows: other hosts, over https and ssh, and scripts of packages. And what is not kept for ever. */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../../tools/child.ts";
import { FunctionsService } from "../functions-service.ts";
import { GitRepository, httpProject } from "../git-repository.ts";

const folder = mkdtempSync(join(tmpdir(), "remotes-"));
const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
const repository = new GitRepository("private.git");
const root = dirname(dirname(repository.path));
const service = new FunctionsService({
  PATH: `${folder}:${process.env["PATH"]}`,
  FUNCTIONS_GIT_HOSTS: "git.example,localhost",
  FUNCTIONS_SSH_KEY_FILE: "/keys/it's one",
  FUNCTIONS_NPM_SCRIPTS: "on",
  GIT_SSL_CAINFO: certificate,
});
let server: Server;

before(async () => {
  repository.commit(httpProject({ hello: "(req, res) => res.end('hello')" }));
  service.repositories.push(repository);
  makeSsh();
  server = await makeHttps();
  await service.start();
});
after(async () => {
  await service.stop();
  server.close();
  assertNoChildLeft();
});

/** Takes the place of ssh: notes what it is told, and runs git's command here. */
function makeSsh(): void {
  const script = `#!/bin/sh
printf '%s\\n' "$@" > ${folder}/told
for command; do :; done
case "$command" in *closed*) echo 'git@git.example: Permission denied (publickey).' >&2; exit 255 ;; esac
path=$(printf %s "\${command#git-upload-pack }" | tr -d "'")
exec git-upload-pack "${root}$path"
`;
  writeFileSync(join(folder, "ssh"), script);
  chmodSync(join(folder, "ssh"), 0o755);
}

/** A git host: git's own program behind an https server. */
async function makeHttps(): Promise<Server> {
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];
  execFileSync("openssl", ["req", ...kind, "-keyout", key, "-out", certificate, ...subject], { stdio: "ignore" });
  const made = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (req, res) => {
    const [path = "", query = ""] = (req.url ?? "").split("?");
    if (path.startsWith("/alice/moved"))
      return void res.writeHead(302, { location: "https://elsewhere.example/" }).end();
    const env = {
      PATH: process.env["PATH"],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_PROTOCOL: req.headers["git-protocol"] as string,
      REQUEST_METHOD: req.method,
      PATH_INFO: path,
      QUERY_STRING: query,
      CONTENT_TYPE: req.headers["content-type"],
      HTTP_CONTENT_ENCODING: req.headers["content-encoding"],
    };
    const backend = spawn("git", ["http-backend"], { env, stdio: ["pipe", "pipe", "ignore"] });
    req.pipe(backend.stdin);
    const chunks: Buffer[] = [];
    backend.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    backend.once("close", () => {
      const all = Buffer.concat(chunks);
      const end = all.indexOf("\r\n\r\n");
      const head = all.subarray(0, Math.max(end, 0)).toString().split("\r\n");
      const headers = head.map((line) => line.split(": ", 2) as [string, string]);
      const status = headers.find(([name]) => name === "Status")?.[1];
      for (const [name, value] of headers) if (name && name !== "Status") res.setHeader(name, value);
      res.writeHead(Number.parseInt(status ?? "200", 10)).end(all.subarray(end + 4));
    });
  }).listen(0, "127.0.0.1");
  await once(made, "listening");
  return made;
}

async function checkOut(url: string) {
  const { status, json } = await service.ask("POST", "/v1/checkouts", { repository: url });
  return {
    status,
    code: json["code"],
    detail: String(json["detail"]),
    project: json["project"],
    commit: json["commit"],
  };
}

test("a repository is fetched over ssh, with the key, and nothing that could ask or be told otherwise", async () => {
  const commit = repository.git("rev-parse", "HEAD");
  const fetched = await checkOut("git@git.example:alice/private.git");
  assert.partialDeepStrictEqual(fetched, { status: 200, project: "alice-private", commit });
  const told = readFileSync(join(folder, "told"), "utf8").split("\n");
  for (const word of ["-oBatchMode=yes", "none", "/keys/it's one", "git@git.example"]) {
    assert.ok(told.includes(word), `${word} in ${told.join(" ")}`);
  }
  const same = await checkOut("ssh://git@git.example/alice/private");
  assert.partialDeepStrictEqual(same, { status: 200, project: "alice-private" });
  await checkOut("ssh://git@git.example:2222/alice/private");
  assert.match(readFileSync(join(folder, "told"), "utf8"), /^-p\n2222$/m);
  const closed = await checkOut("ssh://git@git.example/alice/closed");
  assert.deepEqual([closed.status, closed.code], [404, "repository_not_found"]);
  assert.match(closed.detail, /Permission denied \(publickey\)/);
  assert.equal((await checkOut("git@other.example:alice/private.git")).code, "repository_refused");
  assert.equal((await service.ask("DELETE", "/v1/projects/alice-private")).status, 204);
});

test("a repository is fetched over https; a host that sends elsewhere is not followed", async () => {
  const host = `https://localhost:${(server.address() as AddressInfo).port}`;
  const fetched = await checkOut(`${host}/alice/private.git`);
  assert.partialDeepStrictEqual(fetched, { status: 200, project: "alice-private" });
  assert.equal((await service.build(fetched as { project: string; commit: string }))["status"], "ready");
  for (const name of ["missing", "moved"]) {
    const refused = await checkOut(`${host}/alice/${name}`);
    assert.deepEqual([refused.status, refused.code], [404, "repository_not_found"], refused.detail);
  }
  assert.equal((await checkOut(`${host.replace("localhost", "127.0.0.1")}/alice/private`)).code, "repository_refused");
});

test("with FUNCTIONS_NPM_SCRIPTS=on the scripts of packages run, in the build's sandbox", async () => {
  const scripted = new GitRepository("scripted");
  service.repositories.push(scripted);
  const script = "id -u > ran; ls / > seen; test ! -e /etc/passwd || touch escaped";
  scripted.write(
    "vendor/loud/package.json",
    JSON.stringify({ name: "loud", version: "1.0.0", scripts: { install: script } }),
  );
  execFileSync("npm", ["pack", "--silent", "--pack-destination", ".."], { cwd: join(scripted.path, "vendor/loud") });
  scripted.write(
    "package.json",
    JSON.stringify({ name: "scripted", dependencies: { loud: "file:vendor/loud-1.0.0.tgz" } }),
  );
  const lock = ["install", "--package-lock-only", "--offline", "--silent", "--ignore-scripts"];
  execFileSync("npm", lock, { cwd: scripted.path });
  scripted.commit(
    httpProject({ tells: "(req, res) => res.end(require('fs').readdirSync(__dirname + '/node_modules/loud').join())" }),
  );
  const { body } = await service.run(await service.deploy(scripted), "tells");
  assert.match(body, /\bran\b/);
  if (process.getuid?.() === 0) assert.doesNotMatch(body, /escaped/);
});

test("a checkout that nobody builds is forgotten after a day, and can be fetched again", async () => {
  const unbuilt = service.makeRepository(httpProject({ hello: "(req, res) => res.end('hello')" }), "unbuilt");
  const fetched = (await checkOut(unbuilt.path)) as { project: string; commit: string };
  const kept = join(service.dataDir, "projects", fetched.project, "checkouts", fetched.commit);
  const dayAgo = new Date(Date.now() - 24 * 3_600_000 - 1_000);
  utimesSync(kept, dayAgo, dayAgo);
  await service.child.kill();
  await service.restart();
  assert.equal(existsSync(kept), false);
  assert.equal((await service.build(fetched))["code"], "unknown_checkout");
  assert.equal((await service.run(await service.deploy(unbuilt), "hello")).body, "hello");
});

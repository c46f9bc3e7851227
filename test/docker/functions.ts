/** Functions on containers: deployed from a folder of this machine, shut in, and back after a kill. Run by `npm run test:docker` alone. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { GitRepository, httpProject, SEED } from "../functions/git-repository.ts";
import { until } from "../tools/until.ts";
import { ComposeProject, docker } from "./compose.ts";

const READY = { withinMs: 90_000 };
const SOON = { withinMs: 60_000 };
const LIMIT = { timeout: 5 * 60_000 };

/** Two projects of two people. */
const TICKING = {
  ".eserveless.yaml": `runtime: node
functions:
- name: Beat
  type: cron
  schedule: "* * * * * *"
- name: Secret
  type: http
`,
  "functions.js": `exports.Beat = (envs) => console.log('beat');
exports.Secret = (req, res) => { require('node:fs').writeFileSync(process.env.TMPDIR + '/kept', 'secret'); res.end(process.env.TMPDIR); };
`,
};
const PROBES = httpProject({
  hello: "(req, res) => res.end('hello')",
  who: "(req, res) => res.end(JSON.stringify({ user: process.getuid(), group: process.getgid() }))",
  reach: `(req, res) => {
    const { searchParams: asked } = new URL(req.url, 'http://self');
    const socket = require('node:net').connect({ host: asked.get('host'), port: Number(asked.get('port')) });
    const tell = (word) => { socket.destroy(); res.end(word); };
    socket.setTimeout(3_000, () => tell('silence')).on('error', ({ code }) => tell(code)).on('connect', () => tell('connected'));
  }`,
  read: `(req, res) => {
    const { searchParams: asked } = new URL(req.url, 'http://self');
    try { res.end(String(require('node:fs').readFileSync(asked.get('file')))); } catch ({ code }) { res.end(code); }
  }`,
});
const NO_WAY = /^(ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ECONNREFUSED|ETIMEDOUT|silence)$/;

/** Of this machine, the services' /repositories. */
const repositories = mkdtempSync(join(tmpdir(), "repositories-"));
let project: ComposeProject;

before(
  async () => {
    project = await ComposeProject.create({ SESSION_TTL_MS: "2000", FUNCTIONS_REPOSITORIES: repositories });
    await project.run("build");
    await project.run("up", "-d");
    await until(async () => (await fetch(`${project.url}/ready`).catch(() => undefined))?.status === 200, READY);
    await until(async () => (await fetch(`${project.url}/api/functions`)).status === 200, READY);
  },
  { timeout: 12 * 60_000 },
);

after(
  async () => {
    await project?.remove();
    rmSync(repositories, { recursive: true });
  },
  { timeout: 2 * 60_000 },
);

/** Resolves when it can be called, to what the api said. */
async function deploy(files: Record<string, string>, user: string, name: string): Promise<Record<string, unknown>> {
  new GitRepository(name, user, repositories).commit(files);
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ repository: `/repositories/${user}/${name}` });
  const answer = await fetch(`${project.url}/api/projects`, { method: "POST", headers, body });
  const json = (await answer.json()) as Record<string, unknown>;
  assert.equal(answer.status, 200, JSON.stringify(json));
  await until(async () => (await read(`/api/projects/${json["project"]}`))["status"] === "ready", SOON);
  return json;
}

async function read(path: string): Promise<Record<string, unknown>> {
  return (await fetch(project.url + path)).json() as Promise<Record<string, unknown>>;
}

async function invoke(path: string): Promise<string> {
  const answer = await fetch(`${project.url}/invoke/${path}`);
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return text;
}

const reach = (host: string, port: number) => invoke(`bob-probes/reach?host=${host}&port=${port}`);

async function containerOf(service: string): Promise<string> {
  const [container = ""] = await project.containers(service);
  return container;
}

async function addressesOf(service: string): Promise<string[]> {
  const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
  return (await docker("inspect", "--format", format, await containerOf(service))).split(" ").filter(Boolean);
}

test(
  "the seed's project is deployed from a mounted repository, and answers through the load balancer",
  LIMIT,
  async () => {
    const deployed = await deploy(SEED, "alice", "shop");
    assert.deepEqual([deployed["project"], deployed["functions"]], ["alice-shop", ["/alice-shop/API"]]);
    assert.equal(await invoke("alice-shop/API"), "Hello, World!");
  },
);

test("a cron function runs by its schedule, and its log is followed through the load balancer", LIMIT, async () => {
  await deploy(TICKING, "alice", "ticking");
  const leave = new AbortController();
  const answer = await fetch(`${project.url}/logs/alice-ticking/Beat`, { signal: leave.signal });
  let text = "";
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.split('"text":"beat"').length > 3) break;
  }
  leave.abort();
  assert.match(text, /"stream":"stdout","text":"beat"/);
});

test("a function has a network, and no way through it to Redis, apis, workers, the lb or sysmon", LIMIT, async () => {
  await deploy(PROBES, "bob", "probes");
  const ports = { redis: 6379, api: 3000, worker: 9464, lb: 8080, sysmon: 5984 };
  const targets = Object.entries(ports).map(async ([service, port]) => {
    const addresses = await addressesOf(service);
    assert.equal(addresses.length, 1, service);
    for (const host of [service, ...addresses]) assert.match(await reach(host, port), NO_WAY, `${service} at ${host}`);
  });
  await Promise.all(targets);
  // It does have a network: the door's own port leads back to its service, which wants a token, and there is no other.
  const [door = ""] = await addressesOf("functions");
  assert.equal(await reach(door, 3100), "connected");
  assert.equal((await addressesOf("functions")).length, 1);
  const names = await docker("exec", await containerOf("functions"), "node", "-p", "Object.keys(process.env).join()");
  assert.doesNotMatch(names, /REDIS/);
});

test(
  "a project's user reads no other project's files and no secrets, also where Node would let it",
  LIMIT,
  async () => {
    const [{ user: bob }, container] = [JSON.parse(await invoke("bob-probes/who")), await containerOf("functions")];
    assert.ok(bob >= 58_000, bob);
    const kept = `${await invoke("alice-ticking/Secret")}/kept`;
    const { commit } = await read("/api/projects/alice-ticking");
    const source = `/functions/projects/alice-ticking/builds/${commit}/tree/functions.js`;
    const readAs = (user: number, file: string) => docker("exec", "--user", `${user}:${user}`, container, "cat", file);
    for (const file of [source, kept, "/functions-token/functions-token", "/proc/1/environ"]) {
      assert.equal(await invoke(`bob-probes/read?file=${encodeURIComponent(file)}`), "ERR_ACCESS_DENIED", file);
      await assert.rejects(readAs(bob, file), /Permission denied/, file);
    }
    const [{ uid: alice = 0 } = {}] = (await listProjects(container)).filter(({ name }) => name === "alice-ticking");
    assert.match(await readAs(alice, source), /exports\.Beat/);
    assert.equal(await readAs(alice, kept), "secret");
  },
);

/** As the service tells them, with their user ids. */
async function listProjects(container: string): Promise<{ name: string; uid: number }[]> {
  const source = `
    const token = require("node:fs").readFileSync("/functions-token/functions-token", "utf8");
    const headers = { "x-functions-token": token };
    fetch("http://127.0.0.1:3100/v1/projects", { headers }).then((answer) => answer.text()).then(console.log);`;
  return JSON.parse(await docker("exec", container, "node", "-e", source)).projects;
}

test("the door shows the metrics to whoever has the token that reads, and nothing else", LIMIT, async () => {
  const source = `
    const token = require("node:fs").readFileSync("/read-token/sysmon-read-token", "utf8");
    const ask = (path, authorization) => fetch("http://functions-door:9464" + path, { headers: { authorization } });
    (async () => {
      const answers = [await ask("/metrics", "Bearer " + token), await ask("/metrics", "Bearer "), await ask("/v1/projects", "Bearer " + token)];
      console.log(JSON.stringify({ statuses: answers.map(({ status }) => status), text: await answers[0].text() }));
    })();`;
  const { statuses, text } = JSON.parse(await docker("exec", await containerOf("sysmon"), "node", "-e", source));
  assert.deepEqual(statuses, [200, 401, 404]);
  assert.match(text, /^functions_invocations_total\{project="alice-shop",function="API",outcome="completed"\} 1$/m);
});

test("the container has what it needs and no more", LIMIT, async () => {
  const container = await containerOf("functions");
  const [{ HostConfig: host }] = JSON.parse(await docker("inspect", container));
  assert.equal(host.ReadonlyRootfs, true);
  assert.deepEqual(host.SecurityOpt, ["no-new-privileges:true"]);
  assert.ok(host.Memory > 0 && host.Memory === host.MemorySwap && host.NanoCpus > 0 && host.PidsLimit > 0);
  const status = await docker("exec", container, "sh", "-c", "cat /proc/1/status");
  // CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID and SETPCAP, and no way to any other.
  for (const set of ["CapPrm", "CapEff", "CapBnd"])
    assert.match(status, new RegExp(`^${set}:\\t00000000000001eb$`, "m"));
  await assert.rejects(docker("exec", container, "touch", "/app/file"), /Read-only file system/);
  const log = await project.logs("functions");
  assert.match(log, /"hasUsers":true/);
});

test("functions go on when their service is killed, and when their container is", LIMIT, async () => {
  const container = await containerOf("functions");
  const readStart = () => docker("inspect", "--format", "{{.State.StartedAt}}", container);
  const startedAt = await readStart();
  // All but the first process of the container, which ends with the service.
  await docker("exec", container, "sh", "-c", "kill -9 -1").catch(() => {});
  await until(async () => (await readStart()) !== startedAt, { ...SOON, what: "the container is started again" });
  await until(async () => (await invoke("bob-probes/hello")) === "hello", SOON);
  await docker("kill", container);
  const gone = await fetch(`${project.url}/invoke/bob-probes/hello`);
  assert.equal(gone.status, 503, await gone.text());
  await project.run("up", "-d", "--no-recreate");
  await until(async () => (await invoke("bob-probes/hello")) === "hello", SOON);
  const runs = await read("/api/projects/alice-ticking/functions/Beat");
  await until(async () => {
    const now = await read("/api/projects/alice-ticking/functions/Beat");
    return JSON.stringify(now["counts"]) !== JSON.stringify(runs["counts"]);
  }, SOON);
});

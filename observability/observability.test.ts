import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

/** The dashboard asks only for what nodes tell, and Prometheus only where they tell it. */

const ROOT = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

interface Panel {
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets: { expr: string }[];
}

const { panels } = JSON.parse(read("observability/grafana/genserverless.json")) as { panels: Panel[] };
const sources = ["shared", "api", "worker", "sysmon", "functions"]
  .flatMap((room) => readdirSync(join(ROOT, room, "src"), { recursive: true, withFileTypes: true }))
  .filter(({ name }) => name.endsWith(".ts"))
  .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "utf8"))
  .join("\n");

test("every metric of the dashboard is one that a node tells", () => {
  const names = panels
    .flatMap(({ targets }) => targets.map(({ expr }) => expr))
    .flatMap((expr) => expr.match(/\b(?:genserverless|http|cluster|functions|nodejs|process)_[a-z0-9_]+/g) ?? [])
    .map((name) => name.replace(/_(bucket|count|sum)$/, ""));
  assert.ok(new Set(names).size > 12);
  for (const name of new Set(names)) {
    // Those two are of prom-client's default metrics.
    const isDefault = /^(nodejs_eventloop_lag_p99_seconds|process_cpu_seconds_total)$/.test(name);
    const isOurs = sources.includes(`"${name}"`) || sources.includes(`"${name.replace("genserverless_", "")}"`);
    assert.ok(isDefault || isOurs, name);
  }
});

test("no two panels of the dashboard lie on one another", () => {
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
  );
  assert.equal(new Set(cells).size, cells.length);
});

test("Prometheus scrapes each service of docker-compose at the port on which it tells", () => {
  const prometheus = read("observability/prometheus.yml");
  const compose = read("docker-compose.yml");
  const scraped = [...prometheus.matchAll(/names: \[([\w-]+)\], type: A, port: (\d+)/g)].map(([, name, port]) => [
    name,
    port,
  ]);
  assert.deepEqual(scraped, [
    ["api", "3000"],
    ["worker", "9464"],
    ["gateway", "9464"],
    ["sysmon", "5984"],
    ["functions-door", "9464"],
  ]);
  assert.match(compose, /METRICS_PORT: 9464/);
  for (const [name] of scraped) assert.match(compose, new RegExp(`^  ${name}:$`, "m"));
});

test("Prometheus holds the token that reads, and neither the one that acts nor Redis's password", () => {
  const compose = read("docker-compose.yml");
  const prometheus = /^ {2}prometheus:\n((?: {4}.*\n|\n)+)/m.exec(compose)?.[1] ?? "";
  assert.match(prometheus, /^ {6}- read-token:\/read-token:ro$/m);
  assert.doesNotMatch(prometheus, /credentials|SYSMON_TOKEN|functions-token/);
  for (const [, file = ""] of read("observability/prometheus.yml").matchAll(/credentials_file: (\S+)/g))
    assert.ok(prometheus.includes(`>${file}\n`), file);
  assert.match(compose, /^ {6}SYSMON_READ_TOKEN_FILE: \/read-token\/sysmon-read-token$/m);
});

import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem } from "node:os";
import { ensureServers } from "@genserverless/local/servers.ts";

/** What the figures were made on. */
export async function describeMachine(): Promise<Record<string, unknown>> {
  const programs = await ensureServers(["redis-server", "haproxy"]);
  const versionOf = (program: string) => /\d+\.\d+\.\d+/.exec(execFileSync(program, ["-v"], { encoding: "utf8" }))?.[0];
  return {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    redis: versionOf(programs["redis-server"]),
    haproxy: versionOf(programs.haproxy),
    /** Before the first measurement: what else was going on. */
    loadAverage: loadavg()[0],
  };
}

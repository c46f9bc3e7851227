import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { DataDir } from "./data-dir.ts";
import { root } from "./settings.ts";

interface RedisOptions {
  port: number;
  maxmemory: string;
  appendfsync: string;
}

/** Writes the configuration of this cluster's own Redis, which holds its password; returns the file. */
export function writeRedisConfig(dataDir: DataDir, { port, maxmemory, appendfsync }: RedisOptions): string {
  const file = dataDir.file("redis.conf");
  const password = readFileSync(dataDir.passwordFile(), "utf8").trim();
  const lines = [
    `include "${join(root, "local/redis.conf")}"`,
    "bind 127.0.0.1",
    `port ${port}`,
    `dir "${dataDir.file("redis")}"`,
    `requirepass ${password}`,
    `maxmemory ${maxmemory}`,
    `appendfsync ${appendfsync}`,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  return file;
}

/** Resolves when something takes connections on the port, or after `withinMs`: nodes wait for Redis by themselves. */
export async function waitForPort(port: number, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await takesConnections(port)) && performance.now() < deadline) await delay(10);
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}

import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { SettingError } from "@genserverless/shared/service/env.ts";

/** Below the range that systems take the ports of outgoing connections from, so that a node gets its port back. */
const LOWEST = 20_000;
const HIGHEST = 32_000;

export function isPortFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}

export async function findFreePort(): Promise<number> {
  const [port = 0] = await findFreePorts(1);
  return port;
}

/** Different ones, and none of those that are `spokenFor`. */
export async function findFreePorts(count: number, spokenFor: number[] = []): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(LOWEST, HIGHEST);
    if (!spokenFor.includes(port) && (await isPortFree("127.0.0.1", port))) found.add(port);
  }
  return [...found];
}

/** `setting` names the port in the error. */
export async function requireFreePort(setting: string, host: string, port: number): Promise<void> {
  const isFree = await isPortFree(host, port).catch((error: Error) => {
    throw new SettingError(`${setting} cannot be listened on: ${error.message}`);
  });
  if (!isFree) throw new SettingError(`port ${port} (${setting}) is in use on ${host}; choose another ${setting}`);
}

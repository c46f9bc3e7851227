/** How every node begins to listen: an address that cannot be had is an error that names the setting. */

import { once } from "node:events";
import type { Server } from "node:net";
import { SettingError } from "./env.ts";

export interface ListenOptions {
  host: string;
  /** 0 asks for any free port. */
  port: number;
  /** What the port is set by, e.g. `PORT`. */
  setting: string;
  /** Others of the same kind listen there too; the kernel gives each connection to one of them. */
  isShared?: boolean;
}

/** Resolves when the server listens. Throws `SettingError`. */
export async function listen(server: Server, { host, port, setting, isShared = false }: ListenOptions): Promise<void> {
  try {
    server.listen({ port, host, reusePort: isShared });
    await once(server, "listening");
  } catch (error) {
    const reason = explain(error as NodeJS.ErrnoException, { host, port, setting });
    throw reason === undefined ? error : new SettingError(reason);
  }
}

function explain({ code }: NodeJS.ErrnoException, { host, port, setting }: ListenOptions): string | undefined {
  if (code === "EADDRINUSE") return `${setting} ${port} on ${host} is in use by another program`;
  if (code === "EACCES") return `${setting} ${port} on ${host} needs more rights than this user has`;
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") return `HOST ${host} is no address of this machine`;
  return undefined;
}

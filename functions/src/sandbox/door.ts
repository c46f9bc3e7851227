/**
 * The door of a sandbox: a socket at which it listens besides the connection that it was born with, so that a request need not
 * pass through the service. Whoever may enter the folder may knock; the sandbox itself does not see it.
 */

import { randomBytes } from "node:crypto";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

export interface Door {
  path: string;
  /** Listens already; a process that inherits it takes over. */
  fd: number;
  /** It is the other process's alone from now on. */
  leave(): void;
}

/** What a path of a socket may have at the most, on Linux. */
const LONGEST_PATH = 107;

export class Doors {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async open(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
    await mkdir(this.#folder, { recursive: true });
    await chmod(this.#folder, 0o700);
  }

  /** Undefined where the folder's path is too long. */
  async make(): Promise<Door | undefined> {
    const path = join(this.#folder, `${randomBytes(8).toString("hex")}.s`);
    if (Buffer.byteLength(path) > LONGEST_PATH - 1) return undefined;
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(`${path}_`, resolve);
    });
    // It is taken away with the server that made it, under the name that it had then.
    await rename(`${path}_`, path);
    const { _handle } = server as unknown as { _handle: { fd: number } };
    return { path, fd: _handle.fd, leave: () => void server.close() };
  }
}

/** The root of every sandbox: empty folders and links, over which each mounts what it may see. */

import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { chmod, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface Skeleton {
  path: string;
  /** Folders and files of this machine, read-only in every sandbox. */
  mounts: { source: string; target: string }[];
  devices: string[];
}

const OWN_FOLDERS = ["proc", "dev", "etc", "code", "runtime", "npm", "go", "gocache", "node", "tmp"];
const TOP_FOLDERS = ["/usr", "/bin", "/sbin", "/lib", "/lib64"];
const SETTINGS = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/ld.so.cache"];
const DEVICES = ["/dev/null", "/dev/urandom"];

export async function makeSkeleton(path: string): Promise<Skeleton> {
  await rm(path, { recursive: true, force: true });
  for (const folder of OWN_FOLDERS) await mkdir(join(path, folder), { recursive: true });
  const mounts: Skeleton["mounts"] = [{ source: dirname(process.execPath), target: "/node" }];
  for (const folder of TOP_FOLDERS.filter((name) => existsSync(name))) {
    if (lstatSync(folder).isSymbolicLink()) await symlink(readlinkSync(folder).replace(/^\//, ""), path + folder);
    else mounts.push(await mountFolder(path, folder));
  }
  for (const setting of SETTINGS.filter((name) => existsSync(name))) {
    const isFolder = lstatSync(setting).isDirectory();
    mounts.push(isFolder ? await mountFolder(path, setting) : await mountFile(path, setting));
  }
  const devices = DEVICES.filter((name) => existsSync(name));
  for (const device of devices) await writeFile(path + device, "");
  await chmod(path, 0o755);
  return { path, mounts, devices };
}

async function mountFolder(path: string, source: string): Promise<Skeleton["mounts"][number]> {
  await mkdir(path + source, { recursive: true });
  return { source, target: source };
}

async function mountFile(path: string, source: string): Promise<Skeleton["mounts"][number]> {
  await writeFile(path + source, "");
  return { source, target: source };
}

/**
 * The command line that makes a sandbox, from outside to inside:
 *
 *     setpriv    ends it when the service ends, however that ends
 *     unshare    mounts, processes, IPC – and network, where it is to have none – of its own
 *     mount      the few folders that it sees, and a temporary one of bounded size
 *     chroot     nothing else is there
 *     setpriv    the project's user, no capabilities, and no way to get any
 *     prlimit    CPU time, data, size of files, open files, processes
 *
 * Where the machine lacks one of them it is left out, and the folders are seen under their own paths.
 */

import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Isolation } from "./isolation.ts";
import type { Skeleton } from "./skeleton.ts";

export interface Limits {
  /** Of what a process writes in its memory, in bytes. */
  dataBytes: number;
  cpuSeconds: number;
  /** Of one file, and of the temporary folder. */
  fileBytes: number;
  tmpBytes: number;
  openFiles: number;
  /** Processes and threads of the user. */
  processes: number;
}

export interface Folder {
  /** Where it is. */
  source: string;
  /** Its name at the top of the sandbox, one that the skeleton has. */
  name: "code" | "runtime" | "npm" | "go" | "gocache";
  isWritable?: boolean;
}

export interface LaunchPlan {
  isolation: Isolation;
  skeleton: Skeleton;
  uid: number;
  limits: Limits;
  folders: Folder[];
  /** A folder of this sandbox alone, for its mount table or for its temporary files. */
  work: string;
  isOffline: boolean;
}

export interface Launch {
  /** The whole command, without what it is to run. */
  prefix: string[];
  /** Where the sandbox sees a folder, its temporary files, and Node. */
  paths: Record<Folder["name"] | "tmp" | "node", string>;
}

const END_WITH_PARENT = ["--pdeathsig", "KILL"];
const ENTER = 'mount -a -T "$1" && shift && exec chroot "$@"';

export async function planLaunch(plan: LaunchPlan): Promise<Launch> {
  const { isolation, folders, work } = plan;
  const { setpriv } = isolation.programs;
  const paths = { code: "", runtime: "", npm: "", go: "", gocache: "", tmp: join(work, "tmp"), node: process.execPath };
  for (const { name, source } of folders) paths[name] = isolation.namespaces ? `/${name}` : source;
  if (!isolation.namespaces) return { prefix: [...drop(plan, END_WITH_PARENT), ...limit(plan)], paths };
  const mounts = join(work, "mounts");
  await writeFile(mounts, describeMounts(plan));
  const enter = ["/bin/sh", "-c", ENTER, "sh", mounts, join(work, "root")];
  const outer = setpriv ? [setpriv, ...END_WITH_PARENT, "--"] : [];
  const prefix = [...outer, ...unshare(plan), ...enter, ...drop(plan), ...limit(plan)];
  return { prefix, paths: { ...paths, tmp: "/tmp", node: `/node/${basename(process.execPath)}` } };
}

function unshare({ isolation, isOffline }: LaunchPlan): string[] {
  const { programs, namespaces } = isolation;
  const kinds = ["--mount", "--pid", "--ipc", "--uts", ...(isOffline ? ["--net"] : [])];
  if (namespaces === "user") kinds.unshift("--user", "--map-root-user");
  return [programs.unshare ?? "unshare", ...kinds, "--fork", "--kill-child=KILL", "--"];
}

function drop({ isolation, uid }: LaunchPlan, more: string[] = []): string[] {
  const { programs, hasUsers, namespaces } = isolation;
  if (!programs.setpriv) return [];
  const user = hasUsers ? [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"] : [];
  const capabilities = hasUsers || namespaces ? ["--bounding-set=-all", "--inh-caps=-all"] : [];
  return ["setpriv", ...user, ...capabilities, "--no-new-privs", ...more, "--"];
}

function limit({ isolation, limits }: LaunchPlan): string[] {
  const { programs, hasUsers, namespaces } = isolation;
  if (!programs.prlimit) return [];
  const { dataBytes, cpuSeconds, fileBytes, openFiles, processes } = limits;
  return [
    "prlimit",
    `--data=${dataBytes}`,
    `--cpu=${cpuSeconds}`,
    `--fsize=${fileBytes}`,
    `--nofile=${openFiles}`,
    "--core=0",
    ...(hasUsers || namespaces ? [`--nproc=${processes}`] : []),
    "--",
  ];
}

/** An fstab, in the order in which it is mounted. */
function describeMounts({ isolation, skeleton, folders, uid, limits, work }: LaunchPlan): string {
  const root = join(work, "root");
  const owner = isolation.hasUsers ? uid : 0;
  const tmp = `mode=700,uid=${owner},gid=${owner},size=${limits.tmpBytes},nr_inodes=8192,nosuid,nodev`;
  const lines = [
    [skeleton.path, root, "none", "bind,ro"],
    ...skeleton.mounts.map(({ source, target }) => [source, root + target, "none", "rbind,ro"]),
    ...skeleton.devices.map((device) => [device, root + device, "none", "bind"]),
    ["proc", `${root}/proc`, "proc", "nosuid,nodev,noexec"],
    ...folders.map(({ source, name, isWritable }) => [
      source,
      `${root}/${name}`,
      "none",
      isWritable ? "bind" : "bind,ro",
    ]),
    ["tmpfs", `${root}/tmp`, "tmpfs", tmp],
  ];
  return lines
    .map(
      ([source = "", target = "", type, options]) =>
        `${escapeWord(source)} ${escapeWord(target)} ${type} ${options} 0 0\n`,
    )
    .join("");
}

/** As fstab writes what would end a word. */
function escapeWord(path: string): string {
  return path.replaceAll(/[\s\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

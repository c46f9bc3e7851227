/** The programs that are not npm packages: found on this machine, or installed through its package manager. */

import { spawn, spawnSync } from "node:child_process";
import { text } from "node:stream/consumers";
import { SettingError } from "@genserverless/shared/service/env.ts";
import { findProgram } from "@genserverless/shared/service/programs.ts";

type ServerName = "redis-server" | "haproxy" | "git" | "tmux" | "curl" | "jq" | "chromium";

interface PackageManager {
  command: string;
  refresh?: string[];
  install: string[];
  packages: Record<ServerName, string>;
  needsRoot: boolean;
}

/** Under their own names, where a package manager has no other. */
const PACKAGES: Record<ServerName, string> = {
  "redis-server": "redis-server",
  haproxy: "haproxy",
  git: "git",
  tmux: "tmux",
  curl: "curl",
  jq: "jq",
  chromium: "chromium",
};

const PACKAGE_MANAGERS: PackageManager[] = [
  {
    command: "apt-get",
    refresh: ["update", "-qq"],
    install: ["install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"],
    packages: PACKAGES,
    needsRoot: true,
  },
  {
    command: "dnf",
    install: ["install", "-y", "-q"],
    packages: { ...PACKAGES, "redis-server": "redis" },
    needsRoot: true,
  },
  {
    command: "brew",
    install: ["install", "-q"],
    packages: { ...PACKAGES, "redis-server": "redis" },
    needsRoot: false,
  },
];

/** The programs' paths. Programs that are missing are installed when this user may. */
export async function ensureServers<Name extends ServerName>(names: Name[]): Promise<Record<Name, string>> {
  const missing = names.filter((name) => !findProgram(name));
  if (missing.length > 0) await install(missing);
  return Object.fromEntries(names.map((name) => [name, findProgram(name)])) as Record<Name, string>;
}

async function install(names: ServerName[]): Promise<void> {
  const packages = (manager: PackageManager) => names.map((name) => manager.packages[name]);
  const words = await installThrough(packages, names.join(" and "));
  const missing = names.filter((name) => !findProgram(name));
  if (missing.length > 0) throw new SettingError(`${missing.join(" and ")} did not get installed: ${words}`);
}

/** Packages that bring no program of their own, by package manager; whether they are needed is found out by who asks. */
export async function installPackages(packages: Readonly<Record<string, readonly string[]>>): Promise<void> {
  await installThrough(({ command }) => packages[command] ?? [], Object.values(packages)[0]?.join(" and ") ?? "");
}

/** Resolves to what the package manager complained about. */
async function installThrough(packagesOf: (manager: PackageManager) => readonly string[], wanted: string) {
  const manager = PACKAGE_MANAGERS.find(({ command }) => findProgram(command));
  const packages = manager ? packagesOf(manager) : [];
  if (!manager || packages.length === 0) throw new SettingError(`${wanted} must be installed first`);
  const become = manager.needsRoot ? becomeRoot() : [];
  if (!become) {
    throw new SettingError(`${wanted} must be installed first: sudo ${manager.command} install ${packages.join(" ")}`);
  }
  console.error(`installing ${wanted}: ${manager.command} install ${packages.join(" ")}`);
  if (manager.refresh) await run([...become, manager.command, ...manager.refresh]);
  return await run([...become, manager.command, ...manager.install, ...packages]);
}

/** What to put before a command so that it runs as root; undefined when this user may not. */
function becomeRoot(): string[] | undefined {
  if (process.getuid?.() === 0) return [];
  const mayBecome = findProgram("sudo") && spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0;
  return mayBecome ? ["sudo", "-n"] : undefined;
}

/** Resolves to what the command said on stderr. */
async function run([command = "", ...args]: string[]): Promise<string> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", HOMEBREW_NO_AUTO_UPDATE: "1" };
  const child = spawn(command, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  return (await text(child.stderr)).trim();
}

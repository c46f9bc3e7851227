"use strict";
/*
 * Runs what an npm script asks for on the Node that this repo pins (the npm package `node`), whatever the machine has:
 * this file alone must run on an old Node, so it is CommonJS in plain syntax.
 *
 *   node local/with-node.cjs <arguments for node>
 *
 * Packages that are missing, or that are not the ones in package-lock.json, are installed first. One install at a time:
 * a second one waits for the first and then finds nothing left to do. Signals go to the child, its exit code comes back,
 * and when npm is killed without a word, the child is asked to stop.
 */
const childProcess = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const root = path.dirname(__dirname);
const bin = path.join(root, "node_modules", ".bin");
const pinnedNode = path.join(bin, "node");
const SIGNALS = ["SIGINT", "SIGTERM"];
const lockFile = path.join(root, ".cache", "install.lock");

function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch (_missing) {
    return undefined;
  }
}

/** npm writes the second file when an install is complete, and removes it when it begins one. */
function isInstalled() {
  const wanted = readJson(path.join(root, "package-lock.json"));
  const found = readJson(path.join(root, "node_modules", ".package-lock.json"));
  if (!wanted) throw new Error("package-lock.json is missing");
  if (!found || !fs.existsSync(pinnedNode)) return false;
  return Object.keys(wanted.packages).every((name) => {
    const want = wanted.packages[name];
    const have = found.packages[name];
    if (name === "" || (!have && (want.optional || want.devOptional))) return true;
    return have !== undefined && have.version === want.version && have.integrity === want.integrity;
  });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function pause(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function readOwner() {
  try {
    return Number(fs.readFileSync(lockFile, "utf8"));
  } catch (_gone) {
    return undefined;
  }
}

function createLock() {
  fs.mkdirSync(path.dirname(lockFile), { recursive: true });
  try {
    fs.writeFileSync(lockFile, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    return false;
  }
}

/** Two may find the same dead owner and both replace its lock: the last one has it, seen after a pause. */
async function replaceLock() {
  try {
    fs.unlinkSync(lockFile);
  } catch (_gone) {
    return false;
  }
  if (!createLock()) return false;
  await pause(200);
  return readOwner() === process.pid;
}

async function takeLock() {
  let told = false;
  while (!createLock()) {
    const owner = readOwner();
    if (owner === undefined) continue;
    if (!isAlive(owner)) {
      if (await replaceLock()) return;
      continue;
    }
    if (!told) console.error(`waiting for the npm install that process ${owner} runs (${lockFile})`);
    told = true;
    await pause(200);
  }
}

function releaseLock() {
  if (readOwner() === process.pid) fs.unlinkSync(lockFile);
}

/** Runs a command, hands it every signal that arrives here, and resolves to how it ended. */
function run(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = childProcess.spawn(command, args, options);
    const forward = (signal) => child.kill(signal);
    const watch = watchParent(forward);
    for (const signal of SIGNALS) process.on(signal, forward);
    const finish = () => {
      clearInterval(watch);
      for (const signal of SIGNALS) process.removeListener(signal, forward);
    };
    child.on("error", (error) => {
      finish();
      reject(error);
    });
    child.on("exit", (code, signal) => {
      finish();
      resolve({ code, signal });
    });
  });
}

/** npm stays for as long as its script runs: another parent means that npm was killed. */
function watchParent(end) {
  const parent = process.ppid;
  if (!process.env.npm_lifecycle_event) return undefined;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    end("SIGTERM");
  }, 500);
  return watch;
}

/**
 * As the lock file says, and without touching it: `npm install --no-save`, because `npm ci` refuses a lock file that lacks
 * an optional package of some other platform. It is the machine's own npm, since the pinned Node may be replaced; npm 6
 * cannot read the lock file.
 */
async function installPackages() {
  const pathWithoutPinnedNode = (process.env.PATH || "")
    .split(path.delimiter)
    .filter((folder) => folder.indexOf(path.join("node_modules", ".bin")) < 0)
    .join(path.delimiter);
  const env = Object.assign({}, process.env, { PATH: pathWithoutPinnedNode });
  const npm = childProcess.spawnSync("npm", ["--version"], { env, encoding: "utf8", cwd: os.tmpdir() });
  if (npm.error) throw new Error(`npm is missing: ${npm.error.message}`);
  const command = parseInt(npm.stdout, 10) < 7 ? ["npx", "npm@9", "install"] : ["npm", "install"];
  const flags = ["--no-save", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  console.error(`installing npm packages: ${command.join(" ")}`);
  const options = { cwd: root, env, stdio: ["ignore", "ignore", "inherit"] };
  const ended = await run(command[0], command.slice(1).concat(flags), options);
  if (ended.code !== 0) throw new Error(`npm install failed (${ended.signal || `exit code ${ended.code}`})`);
  if (!fs.existsSync(pinnedNode)) throw new Error(`npm install left no ${path.relative(root, pinnedNode)}`);
}

async function ensureInstalled() {
  if (isInstalled()) return;
  await takeLock();
  try {
    if (!isInstalled()) await installPackages();
  } finally {
    releaseLock();
  }
}

async function main() {
  await ensureInstalled();
  const env = Object.assign({}, process.env, {
    PATH: bin + path.delimiter + (process.env.PATH || ""),
    BOOTSTRAP_PID: String(process.pid),
    NODE_COMPILE_CACHE: path.join(root, ".cache", "compile"),
  });
  const ended = await run(pinnedNode, process.argv.slice(2), { env, stdio: "inherit" });
  if (ended.signal) process.kill(process.pid, ended.signal);
  process.exitCode = ended.code === null ? 1 : ended.code;
}

main().catch((error) => {
  console.error(`with-node: ${error.message}`);
  process.exitCode = 1;
});

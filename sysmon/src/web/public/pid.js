/** Addresses of processes, `module/key`, as the page is given them by its own address, which anybody can write. */

// As in shared/src/process/pid.ts.
const PART = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;

/**
 * The pid that two parts of an address are; undefined where they are none.
 * @param {readonly string[]} parts
 */
export function readPid(parts) {
  return parts.length === 2 && parts.every((part) => PART.test(part)) ? parts.join("/") : undefined;
}

/**
 * A pid within a path, whatever it is made of.
 * @param {string} pid
 */
export function toPath(pid) {
  return pid.toWellFormed().split("/").map(encodeURIComponent).join("/");
}

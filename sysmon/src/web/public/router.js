/** Which view is shown: the part of the address behind the hash, e.g. `#/processes?module=stack`, `#/process/stack/a`. */

import { toPath } from "./pid.js";

/** @typedef {{ view: string, rest: string[], query: URLSearchParams }} Place */

/** @returns {Place} */
export function readPlace() {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...rest] = path.split("/").map(decode);
  return { view: view || "overview", rest, query: new URLSearchParams(query) };
}

/**
 * Shows a place at once, so that the next key already means that one; a browser tells of a new hash later.
 * @param {string} hash
 */
export function go(hash) {
  if (location.hash === hash) return;
  history.pushState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/**
 * Changes the query of the place that one is at, so that its link can be shared, without another entry in the history.
 * @param {Record<string, string>} fields Those that are empty are left out.
 */
export function noteQuery(fields) {
  const query = new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== ""));
  const path = location.hash.split("?")[0] ?? "";
  const text = query.toString();
  history.replaceState(null, "", text ? `${path}?${text}` : path);
}

/** @param {string} pid */
export function linkToProcess(pid) {
  return `#/process/${toPath(pid)}`;
}

/**
 * What is no percent-encoding stays as it is.
 * @param {string} text
 */
export function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Asks sysmon, and through it the cluster. */

/** @typedef {{ status: number, body: any, ms: number, size: number }} Answer */

/** The cluster's own API, as sysmon passes it on. */
export const CLUSTER = "/cluster/v1";

/** @type {Set<() => void>} */
const refusals = new Set();

/**
 * Told whenever an answer is 401.
 * @param {() => void} listener
 */
export function onRefused(listener) {
  refusals.add(listener);
}

/**
 * Resolves whatever the status; status 0 means that sysmon did not answer.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<Answer>}
 */
export async function request(method, path, body) {
  const startedAt = performance.now();
  const given =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  try {
    const response = await fetch(path, { method, cache: "no-store", ...given });
    const text = await response.text();
    const ms = performance.now() - startedAt;
    if (response.status === 401) for (const listener of refusals) listener();
    return { status: response.status, body: text ? JSON.parse(text) : undefined, ms, size: text.length };
  } catch (error) {
    return { status: 0, body: { detail: String(error) }, ms: performance.now() - startedAt, size: 0 };
  }
}

/**
 * What went wrong, in words.
 * @param {Answer} answer
 */
export function describeProblem({ status, body }) {
  if (status === 0) return "sysmon does not answer";
  const words = body?.detail ?? body?.message ?? body?.title ?? "it failed";
  return `${words} (${status}${body?.code ? ` ${body.code}` : ""})`;
}

/** The cluster's log as it is written, and of it what happens to the cluster itself. */

import { panel } from "./dialogs.js";
import { fill, h } from "./dom.js";
import { formatTime, toLine, toPrintable } from "./format.js";
import { makeLogList } from "./log-list.js";
import { linkToProcess, noteQuery } from "./router.js";
import { StateTree } from "./state-tree.js";
import { openStream } from "./stream.js";

/** @typedef {{ id: string, time: string | number, level: string, node: string, msg: string, pid?: string, module?: string, [field: string]: unknown }} Entry */

const LEVELS = ["", "trace", "debug", "info", "warn", "error", "fatal"];

/**
 * @param {HTMLElement} root
 * @param {import("./router.js").Place} place
 */
export function showLogs(root, { query }) {
  return showStream(root, query, {
    title: "Logs",
    path: "/api/logs",
    empty: "Nothing has been logged that is like this.",
  });
}

/**
 * @param {HTMLElement} root
 * @param {import("./router.js").Place} place
 */
export function showEvents(root, { query }) {
  return showStream(root, query, {
    title: "Events",
    path: "/api/events",
    empty: "Nothing has happened to the cluster lately.",
  });
}

/**
 * @param {HTMLElement} root
 * @param {URLSearchParams} query
 * @param {{ title: string, path: string, empty: string }} what
 */
function showStream(root, query, { title, path, empty }) {
  const fields = {
    level: h(
      "select",
      { name: "level", "aria-label": "Least level", "data-first": true },
      ...LEVELS.map((level) => h("option", { value: level }, level ? `${level} and above` : "any level")),
    ),
    node: h("input", { name: "node", placeholder: "any node", "aria-label": "Node" }),
    module: h("input", { name: "module", placeholder: "any module", "aria-label": "Module" }),
    pid: h("input", { name: "pid", placeholder: "any process", "aria-label": "Process" }),
  };
  for (const [name, field] of Object.entries(fields)) field.value = query.get(name) ?? "";
  const form = h(
    "form",
    { class: "filter", on: { change: reopen, submit: (event) => event.preventDefault() } },
    ...Object.values(fields),
  );
  const list = makeLogList({ title, empty, make: makeEntry });
  fill(
    root,
    panel(title, { class: "flush grow", beside: [form, h("span", { class: "spring" }), ...list.tools] }, ...list.body),
  );

  let close = open();

  function open() {
    const asked = new URLSearchParams();
    for (const [name, field] of Object.entries(fields)) if (field.value.trim()) asked.set(name, field.value.trim());
    return openStream({ path: `${path}?${asked}`, events: { log: list.take } });
  }

  function reopen() {
    close();
    list.empties();
    noteQuery(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value.trim()])));
    close = open();
  }

  return { update() {}, close: () => close() };
}

/** @param {Entry} entry */
function makeEntry({ id, time, level, node, msg, pid, module, ...fields }) {
  const rest = Object.keys(fields).length > 0 && fields;
  const row = h(
    "li",
    { class: LEVELS.includes(level) ? level : "" },
    h("time", { title: toPrintable(String(time)) }, formatTime(time)),
    h("span", { class: "level" }, toPrintable(String(level))),
    h("span", { class: "node" }, toPrintable(String(node))),
    pid !== undefined && h("a", { href: linkToProcess(String(pid)) }, toPrintable(String(pid))),
    h("span", { class: "msg" }, toPrintable(String(msg))),
  );
  if (rest) row.append(makeFields(rest));
  return row;
}

/** @param {Record<string, unknown>} fields */
function makeFields(fields) {
  const line = Object.entries(fields).map(([name, value]) => `${toPrintable(name)}=${toLine(value, 80)}`);
  const tree = new StateTree();
  const details = h("details", {}, h("summary", {}, h("code", {}, line.join(" ").slice(0, 240))), tree.element);
  details.addEventListener("toggle", () => tree.show(fields), { once: true });
  return details;
}

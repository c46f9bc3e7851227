/** Every node of the cluster, as its heartbeats tell. */

/** @import { NodeView } from "../../../../shared/src/inspect/views.ts" */

import { fillWithWords, panel } from "./dialogs.js";
import { fill, h, say } from "./dom.js";
import { ABSENT, formatCount, formatMs, formatRate, formatSpan } from "./format.js";
import { clusterView, pictureAgeMs } from "./live.js";
import { makeTable } from "./table.js";

const ROLES = ["api", "worker", "gateway", "sysmon"];
/** @type {import("./table.js").Cell<NodeView>[]} */
const CELLS = [
  { label: "Role", read: ({ role }) => role },
  { label: "Node", read: ({ name }) => name },
  { label: "Host", read: ({ host }) => host },
  { label: "OS pid", read: ({ osPid }) => String(osPid), isNumber: true },
  { label: "Up", read: ({ startedAt }) => formatSpan(Date.now() - Date.parse(startedAt)), isNumber: true },
  {
    label: "Seen",
    title: "Since its last heartbeat",
    read: ({ seenMsAgo }) => formatSpan(seenMsAgo + pictureAgeMs()),
    isNumber: true,
  },
  { label: "Load", title: "CPU seconds a second", read: ({ load }) => formatRate(load), isNumber: true },
  { label: "Lag", title: "Event-loop delay, p99", read: ({ lagMs }) => formatMs(lagMs), isNumber: true },
  { label: "Rate", title: "Requests or turns a second", read: ({ rate }) => formatRate(rate), isNumber: true },
  { label: "p50", title: "Of calls or turns", read: ({ latency }) => formatMs(latency?.p50Ms), isNumber: true },
  { label: "p99", title: "Of calls or turns", read: ({ latency }) => formatMs(latency?.p99Ms), isNumber: true },
  { label: "Held", title: "Processes in its memory", read: ({ held }) => formatCount(held), isNumber: true },
  { label: "Turns", read: ({ turns }) => formatCount(turns), isNumber: true },
  { label: "Failures", title: "Turns that failed", read: ({ failures }) => formatCount(failures), isNumber: true },
  {
    label: "Taken over",
    title: "Processes taken over from nodes that died",
    read: ({ takeovers }) => formatCount(takeovers),
    isNumber: true,
  },
  { label: "Modules", read: ({ modules }) => modules?.join(", ") || ABSENT },
];

/** @param {HTMLElement} root */
export function showNodes(root) {
  const total = h("span", { class: "quiet" });
  const table = makeTable({
    name: "nodes",
    cells: CELLS,
    keyOf: ({ id }) => id,
    classOf: ({ role }) => role,
    titleOf: ({ id }) => id,
  });
  const empty = h("div");
  fill(root, panel("Nodes", { class: "flush", beside: [total] }, table.element, empty));
  return {
    update() {
      const nodes = clusterView()?.nodes ?? [];
      say(total, formatCount(nodes.length));
      if (nodes.length === 0) fillWithWords(empty, "No node tells of itself.");
      else empty.replaceChildren();
      table.draw(nodes.toSorted(compareNodes));
    },
  };
}

/**
 * @param {NodeView} a
 * @param {NodeView} b
 */
function compareNodes(a, b) {
  return ROLES.indexOf(a.role) - ROLES.indexOf(b.role) || a.name.localeCompare(b.name) || a.id.localeCompare(b.id);
}

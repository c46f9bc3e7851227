/**
 * Draws a view of the cluster into the page. Elements are made once and then only told what changed, so that selected
 * text stays selected. Everything that comes from the cluster is set as text, never as markup.
 */

import { ABSENT, formatBytes, formatCount, formatSpan, toPrintable } from "./format.js";

const STATUSES = ["running", "idle", "starting", "paused", "stopped", "quarantined"];
const MAIL = ["waiting", "delayed", "failed"];
const ROLES = ["api", "worker", "sysmon"];
const NODE_CELLS = [
  { label: "Role", read: (node) => node.role },
  { label: "Node", read: (node) => node.name },
  { label: "Host", read: (node) => node.host },
  { label: "Pid", read: (node) => String(node.osPid), number: true },
  { label: "Up", read: (node) => formatSpan(Date.now() - Date.parse(node.startedAt)), number: true },
  { label: "Last seen", read: (node, ageMs) => formatSpan(node.seenMsAgo + ageMs), number: true },
  { label: "Held", read: (node) => formatCount(node.held), number: true },
  { label: "Turns", read: (node) => formatCount(node.turns), number: true },
  { label: "Modules", read: (node) => node.modules?.join(", ") || ABSENT },
];

export function drawCluster(view) {
  drawCounts("processes", STATUSES, view.processes);
  drawCounts("mailbox", MAIL, view.mailbox);
  drawRedis(view.redis);
  drawNodes(view.nodes, view.ageMs);
}

function drawCounts(id, names, counts) {
  const total = names.reduce((sum, name) => sum + counts[name], 0);
  say(byId(`${id}-total`), formatCount(total));
  const shares = names.map((name) => ({ name, share: counts[name] }));
  drawBar(byId(`${id}-bar`), shares);
  drawLegend(
    byId(id),
    names.map((name) => [name, formatCount(counts[name])]),
  );
}

function drawRedis({ version, usedMemoryBytes: used, maxMemoryBytes: most }) {
  say(byId("redis-memory"), formatBytes(used));
  drawBar(byId("redis-bar"), [
    { name: "used", share: most > 0 ? used : 0 },
    { name: "free", share: Math.max(0, most - used) },
  ]);
  drawLegend(byId("redis"), [
    ["used", most > 0 ? `${Math.round((100 * used) / most)} %` : formatBytes(used)],
    ["limit", most > 0 ? formatBytes(most) : "none"],
    ["version", version],
  ]);
}

function drawBar(bar, shares) {
  keep(
    bar,
    shares,
    ({ name }) => name,
    makePart,
    (part, { share }) => {
      part.style.flexGrow = String(share);
      part.hidden = share === 0;
    },
  );
}

function makePart({ name }) {
  const part = document.createElement("i");
  part.className = name;
  return part;
}

function drawLegend(list, entries) {
  keep(
    list,
    entries,
    ([name]) => name,
    makeEntry,
    (entry, [, value]) => say(entry.lastChild, value),
  );
}

function makeEntry([name]) {
  const entry = document.createElement("div");
  entry.className = name;
  entry.append(document.createElement("dt"), document.createElement("dd"));
  entry.firstChild.textContent = name;
  return entry;
}

function drawNodes(nodes, ageMs) {
  say(byId("nodes-total"), formatCount(nodes.length));
  byId("nodes").parentElement.hidden = nodes.length === 0;
  keep(
    byId("nodes"),
    nodes.toSorted(compareNodes),
    ({ id }) => id,
    makeRow,
    (row, node) => {
      NODE_CELLS.forEach(({ read }, index) => {
        const text = toPrintable(read(node, ageMs));
        row.cells[index].classList.toggle("absent", text === ABSENT);
        say(row.cells[index].firstChild, text);
      });
    },
  );
}

function compareNodes(a, b) {
  return ROLES.indexOf(a.role) - ROLES.indexOf(b.role) || a.name.localeCompare(b.name) || a.id.localeCompare(b.id);
}

function makeRow({ role }) {
  const row = document.createElement("tr");
  row.className = ROLES.includes(role) ? role : "";
  for (const { label, number } of NODE_CELLS) {
    const cell = row.insertCell();
    cell.dataset.label = label;
    if (number) cell.className = "number";
    cell.append(document.createElement("span"));
  }
  return row;
}

/** Makes `parent` hold one element per item, in order, reusing the element that an item's key had before. */
function keep(parent, items, keyOf, make, update) {
  const before = new Map(Array.from(parent.children, (element) => [element.dataset.key, element]));
  items.forEach((item, index) => {
    const key = keyOf(item);
    const element = before.get(key) ?? make(item);
    before.delete(key);
    element.dataset.key = key;
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
    update(element, item);
  });
  for (const gone of before.values()) gone.remove();
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function byId(id) {
  return document.getElementById(id);
}

/** Counts, charts of the last two minutes, and the busiest processes. */

/** @import { ClusterView } from "../../../../shared/src/inspect/views.ts" */

import { drawBar, makeChart } from "./chart.js";
import { panel } from "./dialogs.js";
import { fill, h, keep, say } from "./dom.js";
import { formatBytes, formatCount, formatMs, formatRate, toPrintable } from "./format.js";
import { clusterView, recentBeats } from "./live.js";
import { linkToProcess } from "./router.js";

const STATUSES = /** @type {const} */ (["running", "idle", "starting", "paused", "stopped", "quarantined"]);
const MAIL = /** @type {const} */ (["waiting", "delayed", "failed"]);
const ROLES = /** @type {const} */ (["api", "worker", "gateway", "sysmon"]);
const BUSIEST_SHOWN = 8;

/** @param {HTMLElement} root */
export function showOverview(root) {
  const counts = {
    processes: makeCounts("Processes", "wide"),
    mailbox: makeCounts("Mailboxes"),
    nodes: makeCounts("Nodes"),
    redis: makeCounts("Redis"),
  };
  const charts = [
    makeChart(
      "Throughput",
      [
        { name: "turns/s", tone: "accent", read: ({ turnsPerS }) => turnsPerS },
        { name: "requests/s", tone: "info", read: ({ requestsPerS }) => requestsPerS },
      ],
      formatRate,
    ),
    makeChart(
      "Latency of calls",
      [
        { name: "p99", tone: "warn", read: ({ p99Ms }) => p99Ms },
        { name: "p50", tone: "good", read: ({ p50Ms }) => p50Ms },
      ],
      formatMs,
    ),
    makeChart("Mailbox depth", [{ name: "waiting", tone: "info", read: ({ waiting }) => waiting }], formatCount, {
      isWhole: true,
    }),
    makeChart("Nodes", [{ name: "nodes", tone: "good", read: ({ nodes }) => nodes }], formatCount, { isWhole: true }),
  ];
  const busiest = h("ol", { class: "busiest" });
  const busiestPanel = panel("Busiest processes", { class: "busiest-panel" }, busiest);
  fill(
    root,
    h("div", { class: "counts" }, ...Object.values(counts).map(({ element }) => element)),
    h("div", { class: "charts" }, ...charts.map(({ element }) => element)),
    busiestPanel,
  );
  return {
    update() {
      for (const chart of charts) chart.draw(recentBeats());
      const view = clusterView();
      if (!view) return;
      counts.processes.draw(
        sum(STATUSES, view.processes),
        STATUSES.map((name) => [name, view.processes[name]]),
      );
      counts.mailbox.draw(
        sum(MAIL, view.mailbox),
        MAIL.map((name) => [name, view.mailbox[name]]),
      );
      counts.nodes.draw(
        view.nodes.length,
        ROLES.map((name) => [name, view.nodes.filter(({ role }) => role === name).length]),
      );
      drawRedis(counts.redis, view);
      busiestPanel.hidden = drawBusiest(busiest, view) === 0;
    },
  };
}

/**
 * @param {string} title
 * @param {string} [name]
 */
function makeCounts(title, name = "") {
  const figure = h("p", { class: "figure" });
  const bar = h("div", { class: "bar", "aria-hidden": "true" });
  const legend = h("dl", { class: "legend" });
  const element = panel(title, { class: `count ${name}` }, figure, bar, legend);
  /** @param {[string, string][]} entries */
  const drawLegend = (entries) =>
    keep(
      legend,
      entries,
      ([name]) => name,
      ([name]) => h("div", { class: name }, h("dt", {}, name), h("dd")),
      (entry, [, text]) => say(entry.lastElementChild, text),
    );
  return {
    element,
    figure,
    bar,
    drawLegend,
    /**
     * @param {number} total
     * @param {[string, number][]} entries
     */
    draw(total, entries) {
      say(figure, formatCount(total));
      drawBar(
        bar,
        entries.map(([name, share]) => ({ name, share })),
      );
      drawLegend(entries.map(([name, count]) => [name, formatCount(count)]));
    },
  };
}

/**
 * @param {ReturnType<typeof makeCounts>} counts
 * @param {ClusterView} view
 */
function drawRedis({ figure, bar, drawLegend }, { redis: { usedMemoryBytes: used, maxMemoryBytes: most, version } }) {
  say(figure, formatBytes(used));
  drawBar(bar, shareOf(most > 0 ? used : 0, most));
  drawLegend([
    ["used", most > 0 ? `${Math.round((100 * used) / most)} %` : formatBytes(used)],
    ["limit", most > 0 ? formatBytes(most) : "none"],
    ["version", toPrintable(version)],
  ]);
}

/**
 * Of what the workers tell in their heartbeats.
 * @param {Element} list
 * @param {ClusterView} view
 */
function drawBusiest(list, { nodes }) {
  const busy = nodes
    .flatMap(({ busiest = [], name }) => busiest.map((entry) => ({ ...entry, node: name })))
    .toSorted((a, b) => b.turns - a.turns)
    .slice(0, BUSIEST_SHOWN);
  const most = busy[0]?.turns ?? 1;
  keep(
    list,
    busy,
    ({ pid }) => pid,
    ({ pid }) =>
      h(
        "li",
        {},
        h("a", { href: linkToProcess(pid) }, toPrintable(pid)),
        h("div", { class: "bar", "aria-hidden": "true" }),
        h("span", { class: "number" }),
        h("span", { class: "quiet" }),
      ),
    (row, { turns, failed, node }) => {
      const [, bar, count, where] = row.children;
      if (bar) drawBar(bar, shareOf(turns, most));
      say(count, `${formatCount(turns)} turns${failed ? `, ${formatCount(failed)} failed` : ""}`);
      say(where, toPrintable(node));
    },
  );
  return busy.length;
}

/**
 * @param {number} used
 * @param {number} most
 */
function shareOf(used, most) {
  return [
    { name: "used", share: used },
    { name: "free", share: Math.max(0, most - used) },
  ];
}

/**
 * @template {string} Name
 * @param {readonly Name[]} names
 * @param {Record<Name, number>} counts
 */
function sum(names, counts) {
  return names.reduce((total, name) => total + counts[name], 0);
}

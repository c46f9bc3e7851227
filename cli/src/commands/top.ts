/** top: what the nodes and the busiest processes are doing, from the heartbeats. */

import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { formatBytes } from "@genserverless/shared/text/quantities.ts";
import type { Column } from "@genserverless/shared/text/table.ts";
import type { Command } from "commander";
import type { ClusterView, NodeView } from "genserverless/client";
import { byRole, describeWork, WORK_COLUMNS } from "../node-table.ts";
import type { Output } from "../output.ts";
import { type WatchFlags, watch, watchOptions } from "../watch.ts";
import { addExamples, type Run } from "./command.ts";

const BUSY_COLUMNS: readonly Column[] = [
  { title: "BUSIEST", atMost: 60 },
  { title: "TURNS", align: "right" },
  { title: "FAILED", align: "right" },
  { title: "NODE", atMost: 24 },
];
const MOST_BUSY = 10;

export function addTop(program: Command, run: Run): void {
  const top = program.command("top").description("The nodes and the busiest processes, again and again.");
  watchOptions(top).action(
    run((session, flags: WatchFlags) =>
      watch(session, flags, async () => {
        const view = await session.client.cluster(session.limits);
        return session.output.isJson ? { json: view } : { lines: describeCluster(session.output, view) };
      }),
    ),
  );
  addExamples(top, "top", "top --count 1", "top --every 5s --json");
}

function describeCluster(output: Output, { nodes, processes, mailbox, redis }: ClusterView): string[] {
  const counts = Object.entries(processes).map(([status, count]) => `${count} ${status}`);
  const { waiting, delayed, failed } = mailbox;
  const memory = formatBytes(redis.usedMemoryBytes);
  const working = nodes.toSorted(byRole);
  return [
    `Processes: ${counts.join(", ")}`,
    `Mailboxes: ${waiting} waiting, ${delayed} delayed, ${failed} failed`,
    `Redis ${toPrintable(redis.version)}: ${memory} used${redis.connected ? "" : ", away"}`,
    "",
    ...output.layTable(WORK_COLUMNS, working.map(describeWork)),
    "",
    ...describeBusiest(output, working),
  ];
}

function describeBusiest(output: Output, nodes: readonly NodeView[]): string[] {
  const busiest = nodes
    .flatMap(({ name, busiest = [] }) => busiest.map((process) => ({ ...process, name })))
    .toSorted((a, b) => b.turns - a.turns)
    .slice(0, MOST_BUSY);
  if (busiest.length === 0) return ["no process is busy"];
  const rows = busiest.map(({ pid, turns, failed, name }) => [pid, String(turns), String(failed), name]);
  return output.layTable(
    BUSY_COLUMNS,
    rows.map((row) => row.map(toPrintable)),
  );
}

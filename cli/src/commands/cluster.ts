/** nodes, modules and migrate: what the cluster is made of. */

import { toPrintable } from "@genserverless/shared/text/printable.ts";
import type { Column } from "@genserverless/shared/text/table.ts";
import { type Command, Option } from "commander";
import type { MigrationView } from "genserverless/client";
import { parseDuration } from "../duration.ts";
import { Refused } from "../failure.ts";
import { byRole, describeNode, NODE_COLUMNS } from "../node-table.ts";
import type { Session } from "../session.ts";
import { addExamples, type Run } from "./command.ts";

const MODULE_COLUMNS: readonly Column[] = [{ title: "MODULE" }, { title: "VERSION", align: "right" }];
const ROLES = ["api", "worker", "gateway", "sysmon"];

export function addClusterCommands(program: Command, run: Run): void {
  const nodes = program
    .command("nodes")
    .description("The nodes of the cluster.")
    .addOption(new Option("--role <role>", "only these").choices(ROLES))
    .action(run(listNodes));
  addExamples(nodes, "nodes", "nodes --role worker --json");
  const modules = program
    .command("modules")
    .description("The modules that the answering api has loaded.")
    .action(run(listModules));
  addExamples(modules, "modules");
  const migrate = program
    .command("migrate")
    .description("Tries a module's codeChange on all stored states of other versions; nothing is changed.")
    .argument("<module>", "its name")
    .action(run(tryMigration));
  addExamples(migrate, "migrate accumulator", "migrate accumulator --timeout 10m --json");
}

async function listNodes({ client, output, limits }: Session, { role }: { role?: string }): Promise<void> {
  const { nodes } = await client.cluster(limits);
  const shown = nodes.filter((node) => role === undefined || node.role === role).toSorted(byRole);
  output.table(shown, NODE_COLUMNS, describeNode, "no nodes");
}

async function listModules({ client, output, limits }: Session): Promise<void> {
  const modules = await client.modules(limits);
  output.table(modules, MODULE_COLUMNS, ({ name, version }) => [toPrintable(name), String(version)], "no modules");
}

/** The cluster tells nothing before the end, so the progress is the time. Fails where a state could not be brought over. */
async function tryMigration(session: Session, module: string): Promise<void> {
  const { client, output, settings } = session;
  const waitMs = settings.timeoutMs ?? parseDuration("10m");
  const view = await showTime(session, `trying ${toPrintable(module)}`, () => client.tryMigration(module, { waitMs }));
  output.answer(view, () => describeMigration(view));
  if (view.failed > 0) throw new Refused(`${view.failed} of ${view.examined} states cannot be brought over`);
}

async function showTime<Result>({ output }: Session, what: string, work: () => Promise<Result>): Promise<Result> {
  const progress = output.progress();
  const startedAt = performance.now();
  const show = () => progress.show(`${what} … ${Math.round((performance.now() - startedAt) / 1000)} s`);
  const timer = setInterval(show, 1_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    progress.end();
  }
}

function describeMigration(view: MigrationView): string[] {
  const { module, version, examined, current, migratable, whole, failed, failures } = view;
  return [
    `${toPrintable(module)} version ${version}`,
    `${current} states are of this version; ${examined} were tried: ${migratable} can be brought over, ${failed} cannot`,
    ...(whole > 0 ? [`${whole} of them need their whole journal`] : []),
    ...failures.map(({ pid, fromVersion, error }) => toPrintable(`${pid} (version ${fromVersion}): ${error}`)),
  ];
}

/** projects and delete: what is deployed here, and one of them with its deployments. */

import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import type { DeployedFunction, DeploymentView, ProjectSummary } from "@genserverless/shared/functions/views.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { formatSpan } from "@genserverless/shared/text/quantities.ts";
import type { Column } from "@genserverless/shared/text/table.ts";
import type { Command } from "commander";
import { Refused, WrongUsage } from "../failure.ts";
import type { Session } from "../session.ts";
import { addExamples, type Run } from "./command.ts";

const PROJECTS: readonly Column[] = [
  { title: "PROJECT", atMost: 60 },
  { title: "STATUS" },
  { title: "DEPLOYMENT", align: "right" },
  { title: "COMMIT" },
  { title: "FUNCTIONS", align: "right" },
  { title: "REPOSITORY", atMost: 80 },
];
const FUNCTIONS: readonly Column[] = [{ title: "FUNCTION" }, { title: "TYPE" }, { title: "WHEN", atMost: 80 }];
const DEPLOYMENTS: readonly Column[] = [
  { title: "DEPLOYMENT", align: "right" },
  { title: "STATUS" },
  { title: "COMMIT" },
  { title: "REF", atMost: 30 },
  { title: "AT" },
  { title: "TOOK", align: "right" },
  { title: "WHY", atMost: 80 },
];
const SHORT_COMMIT = 7;

export function addProjects(program: Command, run: Run): void {
  const projects = program
    .command("projects")
    .description("The projects that are deployed here; of one, its functions and its deployments.")
    .argument("[project]", "its name, USER-REPO")
    .action(run((session, name?: string) => (name === undefined ? listProjects(session) : showProject(session, name))));
  addExamples(projects, "projects", "projects alice-shop", "projects --json");
  const remove = program
    .command("delete")
    .description("Deletes a project with its functions and all of its deployments.")
    .argument("<project>", "its name, USER-REPO")
    .option("-y, --yes", "without asking")
    .action(run(deleteProject));
  addExamples(remove, "delete alice-shop --yes");
}

async function listProjects({ functions, output }: Session): Promise<void> {
  output.table(await functions.listProjects(), PROJECTS, describeProject, "no projects");
}

function describeProject({ name, status, current, commit, functions, repository }: ProjectSummary): string[] {
  const served = [String(current ?? "-"), shorten(commit), String(functions.length)];
  return [toPrintable(name), status, ...served, toPrintable(repository)];
}

async function showProject({ functions, output, settings }: Session, name: string): Promise<void> {
  const project = await functions.findProject(name);
  const { repository, ref, status, deployments } = project;
  const describe = (one: DeployedFunction) => [one.name, one.type, whenOf(one, settings.url)].map(toPrintable);
  output.answer(project, () => [
    ...[
      ["project", project.name],
      ["repository", ref === undefined ? repository : `${repository} at ${ref}`],
      ["status", status],
    ].map(([field = "", value = ""]) => `${`${field}:`.padEnd(13)}${toPrintable(value)}`),
    "",
    ...output.layTable(FUNCTIONS, project.functions.map(describe)),
    "",
    ...output.layTable(DEPLOYMENTS, deployments.map(describeDeployment)),
  ]);
}

/** What a function waits for: requests to a URL, a schedule, or events of a topic. */
export function whenOf({ url, schedule, timezone, topic }: DeployedFunction, base: string): string {
  if (schedule !== undefined) return timezone === undefined ? schedule : `${schedule} ${timezone}`;
  return topic ?? (url === undefined ? "-" : base + url);
}

function describeDeployment(deployment: DeploymentView): string[] {
  const { number, status, isCurrent, commit, ref, at, durationMs, reason, rollbackOf } = deployment;
  const why = reason ? `${reason.code}: ${reason.message}` : rollbackOf === undefined ? "-" : `back to ${rollbackOf}`;
  const took = durationMs === undefined ? "-" : formatSpan(durationMs);
  return [`${number}${isCurrent ? "*" : " "}`, status, shorten(commit), toPrintable(ref), at, took, toPrintable(why)];
}

function shorten(commit: string | undefined): string {
  return commit === undefined ? "-" : toPrintable(commit.slice(0, SHORT_COMMIT));
}

async function deleteProject(session: Session, name: string, { yes = false }: { yes?: boolean }): Promise<void> {
  const { functions, output } = session;
  if (!yes) await confirm(session, name);
  const answer = await functions.deleteProject(name);
  output.answer(answer, () => toPrintable(answer.message));
}

async function confirm({ functions, io }: Session, name: string): Promise<void> {
  if (!io.stdin.isTTY) throw new WrongUsage("there is nobody to ask: give --yes");
  const { functions: all } = await functions.findProject(name);
  const prompt = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const count = all.length === 1 ? "its function" : `its ${all.length} functions`;
    const question = `Delete ${toPrintable(name)}, ${count} and all of its deployments? [y/N] `;
    const reply = await Promise.race([prompt.question(question), once(prompt, "close").then(() => "")]);
    if (!/^y(es)?$/i.test(reply.trim())) throw new Refused("nothing was deleted");
  } finally {
    prompt.close();
  }
}

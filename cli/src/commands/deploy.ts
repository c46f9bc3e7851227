/** deploy and rollback: which commit of a repository is served. deploy speaks as eserveless did, and fails as it did: with 1. */

import { toPrintable } from "@genserverless/shared/text/printable.ts";
import type { Command } from "commander";
import { ConnectionError, ProblemError } from "genserverless/client";
import { awaitDeployment, followBuild } from "../deployment.ts";
import { Refused } from "../failure.ts";
import { type DeployAnswer, DeployRefused } from "../functions-api.ts";
import { readRepository, tellFolder } from "../repository.ts";
import type { Session } from "../session.ts";
import { addExamples, type Run, readCount } from "./command.ts";

interface DeployFlags {
  ref?: string;
  wait: boolean;
}

export function addDeploy(program: Command, run: Run): void {
  const deploy = program
    .command("deploy")
    .description("Deploys the functions of a git repository, and follows the build until they are served.")
    .argument("[repository]", "user/repo of github.com; or a git URL; or a folder, which begins with . or /")
    .option("--ref <ref>", "a branch, a tag or a whole commit, instead of the default branch")
    .option("--no-wait", "ends where the build begins")
    .action(run(deployRepository));
  addExamples(deploy, "deploy ./shop", "deploy ./shop --ref main --no-wait");
  deploy.addHelpText("after", "\nAlso without the word: genserverless user/repo\n");
  const rollback = program
    .command("rollback")
    .description("Serves an earlier deployment again.")
    .argument("<project>", "its name, USER-REPO")
    .option("--to <number>", "this one, instead of the one before the current", readCount)
    .option("--no-wait", "ends where it begins")
    .action(run(rollBack));
  addExamples(rollback, "rollback alice-shop", "rollback alice-shop --to 1");
}

async function deployRepository(session: Session, given: string | undefined, flags: DeployFlags): Promise<void> {
  const { output, functions } = session;
  const repository = readRepository(given);
  const hint = tellFolder(given);
  if (hint !== undefined) output.note(toPrintable(hint));
  if (!output.isJson) output.line(`Asking serveless to check in ... [${toPrintable(repository)}]`);
  const changed = await functions.deploy(repository, flags.ref).catch((error) => {
    throw speakAsOriginal(session, error);
  });
  const { answer, deployment } = changed;
  output.answer(answer, () => describeAnswer(session, answer));
  if (!flags.wait || deployment === undefined || answer.project === undefined) return;
  await followBuild(session, answer.project, deployment);
  await awaitDeployment(session, answer.project, deployment);
}

/** What is served again has been built; only where that is lost it is built anew. */
async function rollBack(session: Session, project: string, flags: { to?: number; wait: boolean }): Promise<void> {
  const { answer, deployment } = await session.functions.rollBack(project, flags.to);
  session.output.answer(answer, () => `[ok]  ${toPrintable(answer.message)}`);
  if (flags.wait && deployment !== undefined) await awaitDeployment(session, project, deployment);
}

function describeAnswer({ settings }: Session, { message, functions = [] }: DeployAnswer): string[] {
  const endpoints = functions.map((path) => `-  ${settings.url}/invoke${toPrintable(path)}`);
  return [
    `[ok]  ${toPrintable(message)}`,
    ...(endpoints.length > 0 ? ["List of http api endpoints", ...endpoints] : []),
  ];
}

/** What is wrong with the token, and an answer that is late, are told as everywhere. */
function speakAsOriginal(session: Session, error: unknown): unknown {
  if (error instanceof ConnectionError) {
    return new Refused(`error connecting to eserveless platform server: ${(session.explain(error) as Error).message}`);
  }
  if (!(error instanceof ProblemError) || error.status === 401 || error.status === 403) return error;
  const words = "something went wrong with your request";
  if (!(error instanceof DeployRefused)) return new Refused(`${words}: ${error.message}`);
  const details = error.problems.map(({ line, field, message }) => `line ${line}: ${field}${field && " "}${message}`);
  return new Refused(`${words}: ${error.code}`, details);
}

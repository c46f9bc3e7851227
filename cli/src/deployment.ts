/**
 * What becomes of a deployment. Its log goes to stderr, line by line, with a bar below it on a terminal; it is for those who
 * watch. Whether the deployment is ready is asked afterwards.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { DeploymentView } from "@genserverless/shared/functions/views.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { formatSpan } from "@genserverless/shared/text/quantities.ts";
import { ProblemError } from "genserverless/client";
import { Refused } from "./failure.ts";
import { readStream } from "./follow.ts";
import { pathOfDeployment } from "./functions-api.ts";
import type { Output } from "./output.ts";
import { drawBar } from "./progress-bar.ts";
import type { Session } from "./session.ts";

const ASK_EVERY_MS = 200;
const DRAW_EVERY_MS = 250;

/** By how the lines of a build's log begin. */
const STAGES: readonly [begin: RegExp, what: string][] = [
  [/^building /, "reading the repository"],
  [/^npm |^no dependencies/, "installing dependencies"],
  [/^loading /, "loading the functions"],
  [/^ready /, "ready"],
];

/** Tells when it is ready; throws Refused where that does not come. */
export async function awaitDeployment(session: Session, project: string, number: number): Promise<void> {
  const deployment = await untilOver(session, project, number);
  const { output } = session;
  const name = `deployment ${number} of ${toPrintable(project)}`;
  if (output.isJson) output.answer(deployment, () => []);
  if (deployment.status === "failed") throw await describeFailed(session, project, name, deployment);
  if (deployment.status === "superseded") {
    throw new Refused(`${name} was not finished: a newer one has taken its place`);
  }
  const { durationMs } = deployment;
  output.note(`${name} is ready${durationMs === undefined ? "" : `, after ${formatSpan(durationMs)}`}`);
}

/** To the end of the build. A log that cannot be read is told, and is no failure. */
export async function followBuild(session: Session, project: string, number: number): Promise<void> {
  const log = new ShownLog(session.output);
  try {
    await readStream(session, `${pathOfDeployment(project, number)}/log`, true, ({ event, data }) => {
      if (event === "end") return "over";
      if (event === "line") log.tell((JSON.parse(data) as { text: string }).text);
    });
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    log.tell(`the log cannot be read: ${error.message}`);
  } finally {
    log.end();
  }
}

async function untilOver({ functions }: Session, project: string, number: number): Promise<DeploymentView> {
  for (;;) {
    const deployment = await functions.findDeployment(project, number);
    if (deployment.status !== "building") return deployment;
    await sleep(ASK_EVERY_MS);
  }
}

async function describeFailed(
  { functions }: Session,
  project: string,
  name: string,
  { reason }: DeploymentView,
): Promise<Refused> {
  const { current } = await functions.findProject(project);
  const serving =
    current === undefined ? "nothing of this project serves yet" : `deployment ${current} goes on serving`;
  const why = reason === undefined ? "" : `: ${reason.code}: ${reason.message}`;
  return new Refused(`${name} failed${why}; ${serving}`);
}

/** Lines one below the other, and under the last one the bar. */
class ShownLog {
  readonly #output: Output;
  readonly #bar: ReturnType<Output["progress"]>;
  readonly #beganAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #stage = 0;

  constructor(output: Output) {
    this.#output = output;
    this.#bar = output.progress();
    this.#timer = setInterval(() => this.#draw(), DRAW_EVERY_MS);
    this.#draw();
  }

  tell(text: string): void {
    const stage = STAGES.findIndex(([begin]) => begin.test(text));
    if (stage >= 0) this.#stage = stage;
    this.#bar.end();
    this.#output.note(toPrintable(text));
    this.#draw();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#bar.end();
  }

  #draw(): void {
    const [, what = ""] = STAGES[this.#stage] ?? [];
    const span = formatSpan(performance.now() - this.#beganAt);
    this.#bar.show(`${drawBar(this.#stage, STAGES.length - 1)} ${what} … ${span}`);
  }
}

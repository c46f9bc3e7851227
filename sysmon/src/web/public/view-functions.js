/** Every project that is deployed, and every function with its figures. */

/** @import { FunctionView } from "../../../../shared/src/functions/views.ts" */
/** @import { FunctionsView, ListedProject } from "../../functions.ts" */
/** @import { Cell } from "./table.js" */

import { confirmAct, fillWithWords, noteAnswer, panel } from "./dialogs.js";
import { fill, h, say } from "./dom.js";
import { ABSENT, formatCount, formatMs, formatSpan } from "./format.js";
import { describeProblem, request } from "./http.js";
import { toPath } from "./pid.js";
import { mayAct } from "./session.js";
import { repeat } from "./stream.js";
import { makeTable } from "./table.js";

const EVERY_MS = 1000;
const COMMIT_CHARACTERS = 8;

/** @param {HTMLElement} root */
export function showFunctions(root) {
  const reading = repeat(read, EVERY_MS);
  const projects = makeTable({
    name: "projects",
    cells: projectCells(() => reading.now()),
    keyOf: ({ name }) => name,
    classOf: ({ status }) => status,
  });
  const functions = makeTable({
    name: "functions",
    cells: functionCells(() => reading.now()),
    keyOf: ({ project, name, type }) => `${project}/${name} ${type}`,
  });
  const total = h("span", { class: "quiet" });
  const words = h("div");
  const content = panel("Functions", { class: "flush", beside: [total] }, functions.element, words);
  const above = panel("Projects", { class: "flush" }, projects.element);
  fill(root, content);

  async function read() {
    const answer = await request("GET", "/api/functions");
    if (answer.status === 200) return draw(answer.body);
    if (above.isConnected) say(total, describeProblem(answer));
    else fillWithWords(words, describeProblem(answer));
  }

  /** @param {FunctionsView} view */
  function draw(view) {
    const all = view.projects.flatMap((project) => project.functions);
    if (view.projects.length === 0) above.remove();
    else if (!above.isConnected) root.prepend(above);
    projects.draw(view.projects);
    functions.draw(all);
    if (all.length > 0) words.replaceChildren();
    else fillWithWords(words, "No function is deployed.");
    const { warm, busy } = view.sandboxes;
    say(total, `${formatCount(all.length)}, sandboxes: ${formatCount(warm)} warm, ${formatCount(busy)} busy`);
  }

  return { update() {}, close: reading.stop };
}

/** @param {string | undefined} commit */
export function shortenCommit(commit) {
  return commit?.slice(0, COMMIT_CHARACTERS) ?? ABSENT;
}

/**
 * What makes it run.
 * @param {FunctionView} view
 */
export function describeTrigger({ schedule, timezone, topic }) {
  if (schedule !== undefined) return timezone ? `${schedule} ${timezone}` : schedule;
  return topic === undefined ? "on request" : `topic ${topic}`;
}

/** @param {FunctionView} view */
export function describeNext({ nextAt }) {
  return nextAt === undefined ? ABSENT : `in ${formatSpan(Date.parse(nextAt) - Date.now())}`;
}

/**
 * Runs a cron function now. Nothing for who may not, and for functions that have no schedule.
 * @param {FunctionView} view
 * @param {() => void} onActed
 */
export function makeRunButton({ project, name, type }, onActed) {
  const run = async () => {
    noteAnswer(await request("POST", `/cluster/ticks/${toPath(`${project}/${name}`)}`, {}), `${name} runs`);
    onActed();
  };
  const isHidden = type !== "cron" || !mayAct();
  const attributes = { type: "button", class: "small", "data-act": "tick", hidden: isHidden, on: { click: run } };
  return h("button", attributes, "Run now");
}

/**
 * @param {() => void} onActed
 * @returns {Cell<ListedProject>[]}
 */
function projectCells(onActed) {
  return [
    { label: "Project", read: ({ name }) => name },
    { label: "Status", read: ({ status }) => status },
    {
      label: "Deployment",
      title: "The one that serves",
      read: ({ current }) => (current === undefined ? ABSENT : formatCount(current)),
      isNumber: true,
    },
    { label: "Commit", read: ({ commit }) => shortenCommit(commit) },
    { label: "Functions", read: ({ functions }) => formatCount(functions.length), isNumber: true },
    { label: "Repository", read: ({ repository }) => repository },
    { label: "", make: ({ name }) => makeRollbackButton(name, onActed), isNumber: true },
  ];
}

/**
 * @param {string} project
 * @param {() => void} onActed
 */
function makeRollbackButton(project, onActed) {
  const rollBack = async () => {
    const consequence = "The deployment before the current one serves again.";
    if (!(await confirmAct(`Roll ${project} back?`, consequence, "Roll back"))) return;
    const answer = await request("POST", `/cluster/api/projects/${toPath(project)}/rollback`, {});
    noteAnswer(answer, `Rolled back: deployment ${answer.body?.deployment} serves`);
    onActed();
  };
  const attributes = { type: "button", class: "small danger", "data-act": "rollback", hidden: !mayAct() };
  return h("button", { ...attributes, on: { click: rollBack } }, "Roll back…");
}

/**
 * @param {() => void} onActed
 * @returns {Cell<FunctionView>[]}
 */
function functionCells(onActed) {
  return [
    {
      label: "Function",
      read: ({ name }) => name,
      link: ({ project, name }) => `#/function/${toPath(`${project}/${name}`)}`,
    },
    { label: "Project", read: ({ project }) => project },
    { label: "Type", read: ({ type }) => type },
    { label: "When", read: describeTrigger },
    { label: "Next run", read: describeNext, isNumber: true },
    { label: "Runs", title: "Invocations", read: ({ invocations }) => formatCount(invocations), isNumber: true },
    { label: "Failed", read: ({ failures }) => formatCount(failures), isNumber: true },
    { label: "Timeouts", read: ({ timeouts }) => formatCount(timeouts), isNumber: true },
    { label: "Refused", title: "Too many waited", read: ({ refused }) => formatCount(refused), isNumber: true },
    { label: "Cold starts", read: ({ coldStarts }) => formatCount(coldStarts), isNumber: true },
    { label: "Mean", title: "Of the time it took", read: ({ meanMs }) => formatMs(meanMs), isNumber: true },
    {
      label: "Warm",
      title: "Sandboxes that wait",
      read: ({ sandboxes }) => formatCount(sandboxes.warm),
      isNumber: true,
    },
    { label: "Busy", title: "Sandboxes at work", read: ({ sandboxes }) => formatCount(sandboxes.busy), isNumber: true },
    { label: "Waiting", title: "Requests", read: ({ sandboxes }) => formatCount(sandboxes.waiting), isNumber: true },
    { label: "", make: (view) => makeRunButton(view, onActed), isNumber: true },
  ];
}

/** One function: its figures, its last runs, and its log as it prints. */

/** @import { FunctionView, LogLine, RunView } from "../../../../shared/src/functions/views.ts" */
/** @import { Cell } from "./table.js" */

import { fillWithWords, panel } from "./dialogs.js";
import { fill, h, say } from "./dom.js";
import { ABSENT, formatCount, formatMs, formatSpan, formatTime, toPrintable } from "./format.js";
import { describeProblem, request } from "./http.js";
import { makeLogList } from "./log-list.js";
import { readPid, toPath } from "./pid.js";
import { openStream, repeat } from "./stream.js";
import { makeTable } from "./table.js";
import { describeNext, describeTrigger, makeRunButton, shortenCommit } from "./view-functions.js";

const EVERY_MS = 1000;
const TONES = { stdout: "", stderr: "warn", service: "info" };
/** @type {Cell<RunView>[]} */
const RUN_CELLS = [
  { label: "Due", read: ({ dueAt }) => formatTime(dueAt) },
  { label: "Status", read: ({ status }) => status },
  { label: "Began", read: ({ startedAt }) => formatTime(startedAt) },
  { label: "Took", read: ({ durationMs }) => formatMs(durationMs), isNumber: true },
  { label: "Cold start", read: ({ coldStart }) => (coldStart ? "yes" : ABSENT) },
  { label: "Error", read: ({ error }) => error ?? ABSENT },
];

/**
 * @param {HTMLElement} root
 * @param {import("./router.js").Place} place
 */
export function showFunction(root, { rest }) {
  // The names of a project and of a function are made of the same characters as the parts of a pid.
  const id = readPid(rest);
  if (id !== undefined) return showOne(root, id);
  fillWithWords(root, `There is no such function: ${toPrintable(rest.join("/"))} is no <project>/<function>.`);
  return { update() {}, close() {} };
}

/**
 * @param {HTMLElement} root
 * @param {string} id
 */
function showOne(root, id) {
  const type = h("span", { class: "tag", hidden: true });
  const facts = h("dl", { class: "facts" });
  const fault = h("p", { class: "bad" });
  const acts = h("span", { class: "acts" });
  const runs = makeTable({
    name: "runs",
    cells: RUN_CELLS,
    keyOf: (run) => run.id,
    classOf: ({ status }) => status,
    titleOf: (run) => run.id,
  });
  const runsPanel = panel("Last runs", { class: "flush" }, runs.element);
  runsPanel.hidden = true;
  const log = makeLogList({ title: "Log", empty: "It has printed nothing of late.", make: makeLine });
  const head = h("div", { class: "row" }, h("h1", {}, toPrintable(id)), type, h("span", { class: "spring" }), acts);
  fill(
    root,
    h("div", { class: "panel process-head" }, head, fault, facts),
    runsPanel,
    panel("Log", { class: "flush grow", beside: [h("span", { class: "spring" }), ...log.tools] }, ...log.body),
  );

  const reading = repeat(read, EVERY_MS);
  const closeLog = openStream({ path: `/cluster/logs/${toPath(id)}`, events: { line: log.take } });

  async function read() {
    const answer = await request("GET", `/api/functions/${toPath(id)}`);
    say(fault, answer.status === 200 ? "" : describeProblem(answer));
    if (answer.status === 200) draw(answer.body);
  }

  /** @param {FunctionView} view */
  function draw(view) {
    if (type.textContent !== view.type)
      fill(
        acts,
        makeRunButton(view, () => reading.now()),
      );
    type.hidden = false;
    say(type, toPrintable(view.type));
    drawFacts(facts, view);
    runsPanel.hidden = !view.runs?.length;
    runs.draw(view.runs ?? []);
  }

  return {
    update() {},
    close() {
      reading.stop();
      closeLog();
    },
  };
}

/**
 * @param {Element} list
 * @param {FunctionView} view
 */
function drawFacts(list, view) {
  const { sandboxes, coldStarts, lastColdStartMs } = view;
  const last = lastColdStartMs === undefined ? "" : `, the last ${formatMs(lastColdStartMs)}`;
  const rows = [
    ["when", describeTrigger(view)],
    ...(view.nextAt === undefined ? [] : [["next run", describeNext(view)]]),
    ["commit", shortenCommit(view.commit)],
    ["runs", formatCount(view.invocations)],
    ["failed", formatCount(view.failures)],
    ["timeouts", formatCount(view.timeouts)],
    ["refused", formatCount(view.refused)],
    ["cold starts", `${formatCount(coldStarts)}${last}`],
    ["mean", formatMs(view.meanMs)],
    [
      "sandboxes",
      `${formatCount(sandboxes.warm)} warm, ${formatCount(sandboxes.busy)} busy, ${formatCount(sandboxes.waiting)} waiting`,
    ],
    ["timeout", formatSpan(view.timeoutMs)],
    ["memory", `${formatCount(view.memoryMb)} MB`],
    ["concurrency", formatCount(view.concurrency)],
    ["kept warm", formatCount(view.keepWarm)],
  ];
  fill(list, ...rows.map(([name = "", text = ""]) => h("div", {}, h("dt", {}, name), h("dd", {}, toPrintable(text)))));
}

/** @param {LogLine} line */
function makeLine({ at, commit, sandbox, stream, text }) {
  return h(
    "li",
    { class: TONES[stream], title: toPrintable(`commit ${commit}, sandbox ${sandbox}`) },
    h("time", {}, formatTime(at)),
    h("span", { class: "level" }, toPrintable(stream)),
    h("span", { class: "msg" }, toPrintable(text)),
  );
}

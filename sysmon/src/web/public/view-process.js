/**
 * One process: its facts, its state, its mail, its commits as they happen, and what an operator can do with it. What it
 * commits comes by server-sent events; its mailbox and status, which change without a commit, are read each second.
 */

/** @import { ProcessView } from "../../../../shared/src/inspect/views.ts" */

import { makeCommits } from "./commits.js";
import { fillWithWords, note, panel } from "./dialogs.js";
import { fill, h, say } from "./dom.js";
import { ABSENT, formatBytes, formatCount, formatTime, toPrintable } from "./format.js";
import { CLUSTER, describeProblem, request } from "./http.js";
import { makeJournal } from "./journal.js";
import { makeDeadLetters, makeMailbox, makeTies } from "./mail.js";
import { makeMessageForm } from "./message-form.js";
import { readPid, toPath } from "./pid.js";
import { makeActions } from "./process-actions.js";
import { mayAct } from "./session.js";
import { StateTree } from "./state-tree.js";
import { openStream, repeat } from "./stream.js";

const EVERY_MS = 900;
/** A larger state is read again only when the reader asks for it. */
const SMALL_STATE = 64 * 1024;

/**
 * @param {HTMLElement} root
 * @param {import("./router.js").Place} place
 */
export function showProcess(root, { rest }) {
  const pid = readPid(rest);
  return pid === undefined ? showNone(root, rest.join("/")) : showOne(root, pid);
}

/**
 * @param {HTMLElement} root
 * @param {string} pid
 */
function showOne(root, pid) {
  const path = `${CLUSTER}/processes/${toPath(pid)}`;
  const gone = h("div");
  const status = h("span", { class: "tag" });
  const reason = h("p", { class: "bad", hidden: true });
  const facts = h("dl", { class: "facts" });
  const state = makeStatePanel(path);
  const journal = makeJournal(pid);
  const commits = makeCommits();
  const mailbox = makeMailbox(pid, refresh);
  const letters = makeDeadLetters(pid);
  const ties = makeTies();
  const actions = makeActions(pid, refresh);
  const form = makeMessageForm(pid, refresh);
  const copy = h(
    "button",
    { type: "button", class: "small", title: "Copies a link to this process", on: { click: copyLink } },
    "Copy link",
  );
  const content = h(
    "div",
    { class: "process" },
    h("div", { class: "process-main" }, state.element, journal.element, commits.element, letters.element),
    h("div", { class: "process-side" }, form, mailbox.element, ties.element),
  );
  fill(
    root,
    h(
      "div",
      { class: "panel process-head" },
      h(
        "div",
        { class: "row" },
        h("h1", {}, toPrintable(pid)),
        status,
        copy,
        h("span", { class: "spring" }),
        actions.element,
      ),
      reason,
      facts,
    ),
    gone,
    content,
  );

  let failed = -1;
  let hasEvents = false;
  let isThere = true;

  const reading = repeat(read, EVERY_MS);
  const closeEvents = openStream({
    path: `${path}/events`,
    resumes: false,
    events: { snapshot: takeCommit, commit: takeCommit, ended: takeEnd },
    onState: (isOpen) => {
      hasEvents = isOpen;
      commits.setLive(isOpen);
    },
  });

  async function read() {
    const answer = await request("GET", `/api/processes/${toPath(pid)}`);
    isThere = answer.status === 200;
    if (answer.status === 404 || answer.status === 400) {
      content.hidden = true;
      say(status, "not there");
      status.className = "tag stopped";
      facts.replaceChildren();
      actions.draw(undefined);
      return fillWithWords(gone, `There is no process ${pid}. It appears here as soon as it is started.`);
    }
    if (answer.status !== 200) return fillWithWords(gone, describeProblem(answer));
    gone.replaceChildren();
    content.hidden = false;
    const process = /** @type {ProcessView} */ (answer.body.process);
    drawHead(process);
    mailbox.draw(answer.body.mailbox);
    ties.draw(answer.body.ties);
    journal.note(process.sequence);
    state.note(process.revision, hasEvents);
    if (process.mailbox.failed !== failed) {
      failed = process.mailbox.failed;
      await letters.read();
    }
  }

  /** @param {ProcessView} process */
  function drawHead(process) {
    say(status, process.status);
    status.className = `tag ${process.status}`;
    reason.hidden = !process.reason;
    say(reason, toPrintable(process.reason ?? ""));
    actions.draw(process.status);
    drawFacts(facts, process);
  }

  /** @param {{ revision: number, state?: unknown, stateBytes?: number, turns: number, messages?: any[] }} commit */
  function takeCommit(commit) {
    state.take(commit);
    if (commit.messages) commits.add(commit);
    reading.now();
  }

  /** @param {{ reason: unknown }} ended */
  function takeEnd(ended) {
    commits.end(ended.reason);
    reading.now();
  }

  function refresh() {
    failed = -1;
    reading.now();
  }

  async function copyLink() {
    await navigator.clipboard.writeText(location.href);
    note("The link is in the clipboard");
  }

  return {
    update() {
      form.hidden = !mayAct();
      if (!isThere) return;
    },
    close() {
      reading.stop();
      closeEvents();
    },
  };
}

/**
 * @param {HTMLElement} root
 * @param {string} name
 */
function showNone(root, name) {
  fill(root);
  fillWithWords(root, `There is no such process: ${toPrintable(name)} is no <module>/<key>.`);
  return { update() {}, close() {} };
}

/**
 * @param {Element} list
 * @param {ProcessView} process
 */
function drawFacts(
  list,
  { owner, revision, turns, sequence, epoch, moduleVersion, startedAt, updatedAt, tags, mailbox },
) {
  const rows = [
    ["owner", owner ? owner.replace(/#.*/, "") : ABSENT],
    ["revision", formatCount(revision)],
    ["turns", formatCount(turns)],
    ...(sequence === undefined ? [] : [["events", formatCount(sequence)]]),
    ["epoch", formatCount(epoch)],
    ["module version", String(moduleVersion)],
    ["started", formatTime(startedAt)],
    ["committed", formatTime(updatedAt)],
    [
      "mailbox",
      `${formatCount(mailbox.waiting)} waiting, ${formatCount(mailbox.delayed)} delayed, ${formatCount(mailbox.failed)} failed`,
    ],
    ["tags", tags.join(", ") || ABSENT],
  ];
  fill(list, ...rows.map(([name = "", text = ""]) => h("div", {}, h("dt", {}, name), h("dd", {}, toPrintable(text)))));
}

/** @param {string} path */
function makeStatePanel(path) {
  const tree = new StateTree();
  const about = h("span", { class: "quiet" });
  const fault = h("p", { class: "bad" });
  const load = h(
    "button",
    { type: "button", class: "act", hidden: true, on: { click: () => read() } },
    "Show the newest",
  );
  /** The revision that is shown, and the newest that is known. */
  let shown = -1;
  let newest = -1;
  let size = 0;
  let isReading = false;

  async function read() {
    if (isReading) return;
    isReading = true;
    const answer = await request("GET", `${path}?state=true`);
    isReading = false;
    say(fault, answer.status === 200 ? "" : describeProblem(answer));
    if (answer.status !== 200) return;
    const { state, revision } = answer.body;
    // A commit was told while this was on its way.
    if (revision < shown && revision < newest) return;
    show(state, revision, answer.size > SMALL_STATE ? answer.size : JSON.stringify(state).length);
  }

  /**
   * @param {unknown} state
   * @param {number} revision
   * @param {number} bytes
   */
  function show(state, revision, bytes) {
    shown = revision;
    newest = Math.max(newest, revision);
    size = bytes;
    tree.show(state);
    describe();
  }

  function describe() {
    load.hidden = newest <= shown;
    say(
      about,
      shown < 0
        ? ""
        : `revision ${formatCount(shown)}${newest > shown ? ` of ${formatCount(newest)}` : ""}, ${formatBytes(size)}`,
    );
  }

  return {
    element: panel(
      "State",
      { class: "state", beside: [about, h("span", { class: "spring" }), load] },
      fault,
      tree.element,
    ),
    /** @param {{ revision: number, state?: unknown, stateBytes?: number }} commit */
    take({ revision, state, stateBytes }) {
      if (state !== undefined) return show(state, revision, stateBytes ?? JSON.stringify(state).length);
      newest = Math.max(newest, revision);
      if (shown < 0 || size <= SMALL_STATE) void read();
      else describe();
    },
    /**
     * @param {number} revision
     * @param {boolean} hasEvents
     */
    note(revision, hasEvents) {
      const isNew = revision !== newest;
      newest = revision;
      if (shown < 0 || (isNew && size <= SMALL_STATE && !hasEvents) || revision < shown) void read();
      else describe();
    },
  };
}

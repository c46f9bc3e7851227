/** The last events of a process that keeps a journal, the newest first. */

import { panel } from "./dialogs.js";
import { h, keep, say } from "./dom.js";
import { formatCount, formatTime, toLine, toPrintable } from "./format.js";
import { CLUSTER, describeProblem, request } from "./http.js";
import { toPath } from "./pid.js";
import { StateTree } from "./state-tree.js";

const SHOWN = 50;

/** @typedef {{ sequence: number, type: string, data: unknown, version: number, at: string, messageId: string }} JournalEvent */

/** @param {string} pid */
export function makeJournal(pid) {
  const about = h("span", { class: "quiet" });
  const fault = h("p", { class: "bad" });
  const list = h("ol", { class: "commits journal" });
  const element = panel("Journal", { beside: [about] }, fault, list);
  element.hidden = true;
  /** The last sequence that is shown, and the last that is known. */
  let shown = 0;
  let known = 0;
  let isReading = false;

  async function read() {
    if (isReading) return;
    isReading = true;
    const newest = known;
    const answer = await ask(Math.max(1, newest - SHOWN + 1));
    isReading = false;
    say(fault, answer.status === 200 ? "" : describeProblem(answer));
    if (answer.status !== 200) return;
    const { first, last, events } = answer.body;
    shown = newest;
    say(about, `${formatCount(last)} events${first > 1 ? `, kept from ${formatCount(first)} on` : ""}`);
    keep(list, /** @type {JournalEvent[]} */ (events).toReversed(), keyOf, makeEvent);
  }

  /**
   * @param {number} from
   * @returns {ReturnType<typeof request>}
   */
  async function ask(from) {
    const path = `${CLUSTER}/processes/${toPath(pid)}/journal?limit=${SHOWN}&from=${from}`;
    const answer = await request("GET", path);
    return answer.status === 410 && answer.body.first > from ? await ask(answer.body.first) : answer;
  }

  return {
    element,
    /** @param {number | undefined} sequence */
    note(sequence) {
      element.hidden = sequence === undefined;
      if (sequence === undefined || sequence === shown) return;
      known = sequence;
      void read();
    },
  };
}

/** @param {JournalEvent} event */
function keyOf({ sequence, at }) {
  return `${sequence} ${at}`;
}

/** @param {JournalEvent} event */
function makeEvent({ sequence, type, data, version, at, messageId }) {
  const tree = new StateTree();
  const content = h("details", {}, h("summary", {}, h("code", {}, toLine(data, 120))), tree.element);
  content.addEventListener("toggle", () => tree.show(data), { once: true });
  return h(
    "li",
    {},
    h(
      "span",
      { class: "commit-head" },
      h("span", { class: "quiet" }, formatTime(at)),
      h("b", { class: "number" }, formatCount(sequence)),
      h("b", { title: `version ${version}, message ${messageId}` }, toPrintable(type)),
    ),
    content,
  );
}

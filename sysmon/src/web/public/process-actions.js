/** What an operator can do with a process; which of it makes sense follows from its status. */

/** @import { ProcessStatus } from "../../../../shared/src/process/status.ts" */

import { confirmAct, noteAnswer } from "./dialogs.js";
import { h } from "./dom.js";
import { CLUSTER, request } from "./http.js";
import { toPath } from "./pid.js";
import { mayAct } from "./session.js";

/**
 * @typedef {object} Action
 * @property {string} label
 * @property {string} path
 * @property {string} done
 * @property {(status: ProcessStatus) => boolean} fits
 * @property {[question: string, consequence: string]} [asks]
 */

/** @type {Action[]} */
const ACTIONS = [
  { label: "Pause", path: "pause", done: "Paused", fits: (status) => status === "running" || status === "idle" },
  { label: "Resume", path: "resume", done: "It goes on", fits: (status) => status === "paused" },
  { label: "Let go on", path: "unquarantine", done: "It goes on", fits: (status) => status === "quarantined" },
  {
    label: "Stop…",
    path: "stop",
    done: "Stopped",
    fits: (status) => status === "running" || status === "idle",
    asks: [
      "Stop this process?",
      "It handles what is in its mailbox before, then terminate runs, and its state is wiped.",
    ],
  },
  {
    label: "Kill…",
    path: "kill",
    done: "Killed",
    fits: (status) => status !== "stopped",
    asks: ["Kill this process?", "It ends at once, without terminate. Its mail is answered with no_process."],
  },
];

/**
 * @param {string} pid
 * @param {() => void} onActed
 */
export function makeActions(pid, onActed) {
  const buttons = ACTIONS.map((action) => {
    const name = action.asks ? "act danger" : "act";
    return h(
      "button",
      { type: "button", class: name, "data-act": action.path, hidden: true, on: { click: () => act(action) } },
      action.label,
    );
  });

  /** @param {Action} action */
  async function act({ label, path, done, asks }) {
    if (asks && !(await confirmAct(`${asks[0]} ${pid}`, asks[1], label.replace("…", "")))) return;
    noteAnswer(await request("POST", `${CLUSTER}/processes/${toPath(pid)}/${path}`, {}), done);
    onActed();
  }

  return {
    element: h("span", { class: "acts" }, ...buttons),
    /** @param {ProcessStatus | undefined} status */
    draw(status) {
      ACTIONS.forEach(({ fits }, index) => {
        const button = buttons[index];
        if (button) button.hidden = status === undefined || !mayAct() || !fits(status);
      });
    },
  };
}

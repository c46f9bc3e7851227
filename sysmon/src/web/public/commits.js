/** The commits of a process as they are made, the newest first, each with its messages, and the state that it left where that is small. */

import { panel } from "./dialogs.js";
import { fill, h, say } from "./dom.js";
import { formatCount, formatTime, toLine, toPrintable } from "./format.js";
import { StateTree } from "./state-tree.js";

const MOST_SHOWN = 200;
const MESSAGES_SHOWN = 20;

export function makeCommits() {
  const about = h("span", { class: "quiet" });
  const list = h("ol", { class: "commits" });
  const words = h("p", { class: "empty" });
  let isLive = false;

  const describe = () => {
    words.hidden = list.childElementCount > 0;
    say(words, isLive ? "Its next commits appear here." : "The cluster does not tell its commits now.");
    say(about, isLive ? "as they happen" : "");
  };
  describe();

  /** @param {HTMLElement} row */
  const add = (row) => {
    list.prepend(row);
    while (list.childElementCount > MOST_SHOWN) list.lastElementChild?.remove();
    describe();
  };
  return {
    element: panel("Commits", { beside: [about] }, list, words),
    /** @param {boolean} now */
    setLive(now) {
      isLive = now;
      describe();
    },
    /** @param {{ revision: number, turns: number, messages?: { messageId: string, kind: string, verdict: string }[], state?: unknown }} commit */
    add({ revision, messages = [], state }) {
      const shown = messages.slice(0, MESSAGES_SHOWN).map(({ kind, verdict, messageId }) => {
        const tone = { done: "idle", dead: "failed" }[verdict] ?? "waiting";
        return h(
          "span",
          { class: "commit-message", title: messageId },
          h("b", {}, kind),
          " ",
          h("span", { class: `tag ${tone}` }, toPrintable(String(verdict))),
        );
      });
      const more = messages.length - shown.length;
      const head = h(
        "span",
        { class: "commit-head" },
        h("span", { class: "quiet" }, formatTime(Date.now())),
        h("b", { class: "number" }, `r${formatCount(revision)}`),
        ...shown,
        more > 0 && `and ${formatCount(more)} more`,
      );
      if (state === undefined) return add(h("li", {}, head));
      const tree = new StateTree();
      const after = h("details", {}, h("summary", {}, h("code", {}, toLine(state, 120))), tree.element);
      after.addEventListener("toggle", () => tree.show(state), { once: true });
      add(h("li", {}, head, after));
    },
    /** @param {unknown} reason */
    end(reason) {
      add(
        h(
          "li",
          {},
          h(
            "span",
            { class: "commit-head" },
            h("span", { class: "quiet" }, formatTime(Date.now())),
            h("b", { class: "bad" }, `ended: ${toLine(reason, 120)}`),
          ),
        ),
      );
    },
    clear: () => fill(list),
  };
}

/** What waits for a process, what it could not handle, and what ties it to others and to time. */

/** @import { QueuedMessage, MailboxPeek, DeadLetter } from "../../../../shared/src/inspect/views.ts" */
/** @import { TiesView } from "../../../../shared/src/inspect/ties-reader.ts" */

import { confirmAct, noteAnswer, panel } from "./dialogs.js";
import { h, keep, say } from "./dom.js";
import { formatBytes, formatCount, formatTime, toLine, toPrintable } from "./format.js";
import { CLUSTER, describeProblem, request } from "./http.js";
import { toPath } from "./pid.js";
import { linkToProcess } from "./router.js";
import { mayAct } from "./session.js";
import { StateTree } from "./state-tree.js";

/** @typedef {QueuedMessage & { cutBytes?: number, place: string }} ShownMessage */

/**
 * @param {string} pid
 * @param {() => void} onActed
 */
export function makeMailbox(pid, onActed) {
  const total = h("span", { class: "quiet" });
  const skip = h(
    "button",
    { type: "button", class: "act danger", hidden: true, on: { click: skipHead } },
    "Skip head…",
  );
  const list = h("ol", { class: "mail" });
  const words = h("p", { class: "empty" }, "Nothing waits.");
  const element = panel("Mailbox", { beside: [total, h("span", { class: "spring" }), skip] }, list, words);

  async function skipHead() {
    const id = list.firstElementChild?.getAttribute("data-message");
    const isSure = await confirmAct("Skip the message at the head?", "It is dropped without being handled.", "Skip it");
    if (!isSure) return;
    noteAnswer(
      await request("POST", `${CLUSTER}/processes/${toPath(pid)}/mailbox/skip`, id ? { messageId: id } : {}),
      "Skipped",
    );
    onActed();
  }

  /** @param {string} id */
  async function takeBack(id) {
    noteAnswer(await request("DELETE", `/cluster/v1/messages/${encodeURIComponent(id)}`), "Taken back");
    onActed();
  }

  /** @param {ShownMessage} message */
  function makeMessage({ messageId, kind, place, timer, queuedAt, dueAt, message, cutBytes }) {
    const when = dueAt ? `due ${formatTime(dueAt)}` : `since ${formatTime(queuedAt)}`;
    const back =
      place !== "in hand" &&
      mayAct() &&
      h("button", { type: "button", class: "small", on: { click: () => takeBack(messageId) } }, "Take back");
    return h(
      "li",
      { "data-message": messageId },
      h("span", { class: `tag ${place === "in hand" ? "running" : "waiting"}` }, place),
      h("b", {}, kind),
      makeBody(message, cutBytes),
      h("span", { class: "quiet" }, timer ? `timer ${toPrintable(timer)}, ` : "", when),
      back,
    );
  }

  return {
    element,
    /** @param {MailboxPeek | undefined} mailbox */
    draw(mailbox) {
      /** @type {ShownMessage[]} */
      const messages = mailbox
        ? [
            ...mailbox.running.map((message) => ({ ...message, place: "in hand" })),
            ...mailbox.waiting.map((message) => ({ ...message, place: "waiting" })),
            ...mailbox.delayed.map((message) => ({ ...message, place: "delayed" })),
          ]
        : [];
      keep(list, messages, ({ messageId, place }) => `${messageId} ${place}`, makeMessage);
      words.hidden = messages.length > 0;
      const { waiting = 0, delayed = 0 } = mailbox?.mailbox ?? {};
      say(
        total,
        `${formatCount(waiting)} waiting, ${formatCount(delayed)} delayed${mailbox?.isCut ? ", too much of it to show all" : ""}`,
      );
      const isHeld = mailbox?.status === "paused" || mailbox?.status === "quarantined";
      skip.hidden = !(isHeld && mayAct() && (waiting > 0 || mailbox?.continue !== undefined));
    },
  };
}

/** @param {string} pid */
export function makeDeadLetters(pid) {
  const total = h("span", { class: "quiet" });
  const all = h(
    "span",
    { class: "acts" },
    h(
      "button",
      { type: "button", class: "act", on: { click: () => act("POST", "/retry", "Put back into the mailbox") } },
      "Retry all",
    ),
    h("button", { type: "button", class: "act danger", on: { click: dropAll } }, "Drop all…"),
  );
  const list = h("ol", { class: "letters" });
  const words = h("p", { class: "empty" }, "None.");
  const element = panel("Dead letters", { beside: [total, h("span", { class: "spring" }), all] }, list, words);

  /**
   * @param {string} method
   * @param {string} path
   * @param {string} done
   */
  async function act(method, path, done) {
    noteAnswer(await request(method, `${CLUSTER}/processes/${toPath(pid)}/dead-letters${path}`), done);
    await read();
  }

  async function dropAll() {
    if (await confirmAct("Drop all dead letters?", "They cannot be had back.", "Drop them"))
      await act("DELETE", "", "Dropped");
  }

  /** @param {DeadLetter & { cutBytes?: number }} letter */
  function makeLetter({ messageId, kind, message, reason, stack, deaths, node, failedAt, cutBytes }) {
    const acts = h(
      "span",
      { class: "acts" },
      h(
        "button",
        {
          type: "button",
          class: "small",
          on: { click: () => act("POST", `/${encodeURIComponent(messageId)}/retry`, "Put back into the mailbox") },
        },
        "Retry",
      ),
      h(
        "button",
        {
          type: "button",
          class: "small danger",
          on: { click: () => act("DELETE", `/${encodeURIComponent(messageId)}`, "Dropped") },
        },
        "Drop",
      ),
    );
    const where = `${formatTime(failedAt)} on ${toPrintable(node.replace(/#.*/, "") || "–")}${deaths > 0 ? `, ${deaths} nodes died of it` : ""}`;
    const why = h(
      "details",
      {},
      h("summary", { class: "bad" }, toPrintable(reason || "no reason")),
      h("pre", {}, toPrintableLines(stack.join("\n"))),
    );
    return h(
      "li",
      {},
      h("b", {}, kind),
      makeBody(message, cutBytes),
      why,
      h("span", { class: "quiet" }, where),
      mayAct() && acts,
    );
  }

  async function read() {
    const answer = await request("GET", `/api/processes/${toPath(pid)}/dead-letters`);
    if (answer.status !== 200) return say(words, describeProblem(answer));
    const { total: number, deadLetters } = answer.body;
    keep(list, /** @type {DeadLetter[]} */ (deadLetters), ({ messageId }) => messageId, makeLetter);
    say(total, formatCount(number));
    say(words, "None.");
    words.hidden = number > 0;
    all.hidden = !(number > 0 && mayAct());
  }

  return { element, read };
}

export function makeTies() {
  const list = h("dl", { class: "ties" });
  const words = h("p", { class: "empty" }, "No timers, monitors, links or groups.");
  return {
    element: panel("Timers and ties", {}, list, words),
    /** @param {TiesView | undefined} ties */
    draw(ties) {
      const { timers = [], monitors = [], links = [], groups = [] } = ties ?? {};
      const rows = [
        ...timers.map(({ name, dueAt, everyMs, cron }) => {
          const again = everyMs ? `, every ${formatCount(everyMs)} ms` : cron ? `, ${cron}` : "";
          return { what: "timer", name: toPrintable(name), link: "", more: `due ${formatTime(dueAt)}${again}` };
        }),
        ...monitors.map((pid) => ({ what: "monitors", name: pid, link: linkToProcess(pid), more: "" })),
        ...links.map((pid) => ({ what: "linked to", name: pid, link: linkToProcess(pid), more: "" })),
        ...groups.map((name) => ({ what: "in group", name: toPrintable(name), link: "", more: "" })),
      ];
      keep(
        list,
        rows,
        ({ what, name }) => `${what} ${name}`,
        ({ what, name, link }) =>
          h(
            "div",
            {},
            h("dt", {}, what),
            h("dd", {}, link ? h("a", { href: link }, name) : h("b", {}, name), " ", h("span", { class: "quiet" })),
          ),
        (row, { more }) => say(row.querySelector(".quiet"), more),
      );
      words.hidden = rows.length > 0;
    },
  };
}

/**
 * A message on one line, which opens as a tree.
 * @param {unknown} message
 * @param {number | undefined} cutBytes How much there is of it, where it is only its beginning.
 */
function makeBody(message, cutBytes) {
  const line = cutBytes === undefined ? toLine(message, 160) : toPrintable(String(message).slice(0, 160));
  if (cutBytes !== undefined)
    return h("code", { class: "body" }, `${line}… `, h("span", { class: "quiet" }, formatBytes(cutBytes)));
  if (typeof message !== "object" || message === null) return h("code", { class: "body" }, line);
  const tree = new StateTree();
  const details = h("details", { class: "body" }, h("summary", {}, h("code", {}, line)), tree.element);
  details.addEventListener("toggle", () => tree.show(message), { once: true });
  return details;
}

/** @param {string} text Of several lines. */
function toPrintableLines(text) {
  return text.split("\n").map(toPrintable).join("\n");
}

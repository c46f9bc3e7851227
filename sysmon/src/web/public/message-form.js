/** A form that calls, casts and sends to one process. Where its module has typed handlers it offers them by name. */

import { panel } from "./dialogs.js";
import { fill, h, keep, say } from "./dom.js";
import { formatMs } from "./format.js";
import { CLUSTER, describeProblem, request } from "./http.js";
import { toPath } from "./pid.js";
import { listHandlers, sketch } from "./schemas.js";
import { StateTree } from "./state-tree.js";

/** @import { HandlerChoice } from "./schemas.js" */
/** @typedef {"call" | "cast" | "info"} Kind */

/** @type {[Kind, string, string][]} */
const KINDS = [
  ["call", "Call", "Waits for the reply"],
  ["cast", "Cast", "Leaves the message; no reply"],
  ["info", "Send", "Leaves the message for handleInfo"],
];

/**
 * @param {string} pid
 * @param {() => void} onSent
 */
export function makeMessageForm(pid, onSent) {
  const [module = ""] = pid.split("/");
  /** @type {Kind} */
  let kind = "call";
  /** @type {HandlerChoice[]} */
  let choices = [];

  const kinds = KINDS.map(([name, label, title]) =>
    h("button", { type: "button", title, "aria-pressed": name === kind, on: { click: () => choose(name) } }, label),
  );
  const handler = h("select", { "aria-label": "Handler", "data-message": true, on: { change: chooseHandler } });
  const text = h("textarea", { "aria-label": "Message as JSON", rows: 3, spellcheck: "false", on: { input: check } });
  const span = h("input", { type: "number", min: 0, "aria-label": "Milliseconds" });
  const spanLabel = h("label", { class: "span" }, h("span"), span, " ms");
  const send = h("button", { type: "submit", class: "primary" });
  const fault = h("p", { class: "fault", role: "alert" });
  const outcome = h("div", { class: "outcome", "aria-live": "polite" });
  const form = h(
    "form",
    { class: "message", on: { submit, keydown: sendByKey } },
    h(
      "div",
      { class: "row" },
      h("div", { class: "segments", role: "group", "aria-label": "Kind of message" }, ...kinds),
      handler,
    ),
    text,
    fault,
    h("div", { class: "row" }, spanLabel, h("span", { class: "spring" }), h("kbd", {}, "Ctrl Enter"), send),
  );

  /** @param {Kind} chosen */
  async function choose(chosen) {
    kind = chosen;
    for (const [index, [name]] of KINDS.entries()) kinds[index]?.setAttribute("aria-pressed", String(name === kind));
    say(send, KINDS.find(([name]) => name === kind)?.[1] ?? "");
    say(spanLabel.firstElementChild, kind === "call" ? "time-out" : "delay");
    span.value = kind === "call" ? "5000" : "0";
    choices = await listHandlers(module, kind);
    keep(
      handler,
      choices,
      (choice) => `${choice.kind} ${choice.label}`,
      ({ label }) => h("option", {}, label),
    );
    handler.hidden = choices.length === 1 && choices[0]?.kind === "raw";
    handler.selectedIndex = 0;
    chooseHandler();
  }

  function chooseHandler() {
    const choice = choices[handler.selectedIndex];
    text.hidden = choice?.kind === "name";
    text.value = choice?.kind === "args" ? JSON.stringify(sketch(choice.schema), undefined, 2) : "";
    text.placeholder = choice?.kind === "args" ? "arguments, as JSON" : "message, as JSON";
    check();
  }

  /** @returns {{ message: unknown } | undefined} undefined where it is not JSON */
  function read() {
    const choice = choices[handler.selectedIndex];
    if (choice?.kind === "name") return { message: choice.name };
    try {
      const given = JSON.parse(text.value);
      return { message: choice?.kind === "args" ? { [choice.name]: given } : given };
    } catch {
      return undefined;
    }
  }

  function check() {
    const isGood = read() !== undefined;
    send.disabled = !isGood;
    say(fault, isGood || text.value.trim() === "" ? "" : "This is not JSON yet.");
  }

  /** @param {KeyboardEvent} event */
  function sendByKey(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  }

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    const given = read();
    if (!given) return;
    const ms = Number(span.value || 0);
    const wait = kind === "call" ? { timeoutMs: ms || 5000 } : ms > 0 ? { delayMs: ms } : {};
    send.disabled = true;
    const answer = await request("POST", `${CLUSTER}/processes/${toPath(pid)}/${kind}`, { ...given, ...wait });
    check();
    showOutcome(answer);
    onSent();
  }

  /** @param {import("./http.js").Answer} answer */
  function showOutcome(answer) {
    const { status, body, ms } = answer;
    const isDone = status >= 200 && status < 300;
    const words = !isDone ? describeProblem(answer) : kind === "call" ? "reply" : "accepted";
    const id = body?.messageId;
    const head = h(
      "p",
      { class: isDone ? "good" : "bad" },
      h("b", {}, words),
      ` after ${formatMs(ms)}`,
      id && h("code", { class: "quiet" }, ` ${id}`),
    );
    const tree = new StateTree();
    if (isDone && kind === "call") tree.show(body.reply);
    fill(outcome, head, tree.element);
  }

  void choose("call");
  return panel("Message", { class: "message-panel" }, form, outcome);
}

/** Asking before something that cannot be taken back, and saying what came of it. */

import { byId, fill, h, say } from "./dom.js";
import { describeProblem } from "./http.js";

/** @import { Answer } from "./http.js" */

const NOTE_MS = 6000;

/**
 * Resolves to whether the person said yes.
 * @param {string} question
 * @param {string} consequence
 * @param {string} yes The word on the button.
 * @returns {Promise<boolean>}
 */
export function confirmAct(question, consequence, yes) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("confirm"));
  say(byId("confirm-title"), question);
  say(byId("confirm-text"), consequence);
  say(byId("confirm-yes"), yes);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

export function startDialogs() {
  for (const button of document.querySelectorAll("dialog [data-close]")) {
    const value = /** @type {HTMLElement} */ (button).dataset["close"];
    button.addEventListener("click", () => button.closest("dialog")?.close(value));
  }
}

/**
 * @param {string} text
 * @param {"good" | "bad"} [tone]
 */
export function note(text, tone = "good") {
  const element = h("p", { class: `note ${tone}` }, text);
  byId("notes").append(element);
  setTimeout(() => element.remove(), NOTE_MS);
}

/**
 * Says what came of an act; returns whether it was done.
 * @param {Answer} answer
 * @param {string} done
 */
export function noteAnswer(answer, done) {
  const isDone = answer.status >= 200 && answer.status < 300;
  note(isDone ? done : describeProblem(answer), isDone ? "good" : "bad");
  return isDone;
}

/**
 * A panel with a title and room for more beside it.
 * @param {string} title
 * @param {{ class?: string, beside?: Node[] }} options
 * @param {...(Node | string)} children
 */
export function panel(title, { class: name = "", beside = [] }, ...children) {
  const heading = h("h2", {}, title);
  return h(
    "section",
    { class: `panel ${name}`, "aria-label": title },
    h("div", { class: "panel-head" }, heading, ...beside),
    ...children,
  );
}

/**
 * @param {Element} element
 * @param {string} text
 */
export function fillWithWords(element, text) {
  fill(element, h("p", { class: "empty" }, text));
}

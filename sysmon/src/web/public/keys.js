/** The keys, in one table from which both what they do and the help are made. */

import { byId, fill, h } from "./dom.js";
import { go } from "./router.js";
import { askForToken, mayRead } from "./session.js";
import { switchTheme } from "./theme.js";

/** @typedef {{ turn?: (by: number) => void } | undefined} View */

/** @type {{ keys: string[], does: string, act: (view: View) => void }[]} */
const KEYS = [
  { keys: ["1"], does: "Overview", act: () => go("#/overview") },
  { keys: ["2"], does: "Nodes", act: () => go("#/nodes") },
  { keys: ["3"], does: "Processes", act: () => go("#/processes") },
  { keys: ["4"], does: "Logs", act: () => go("#/logs") },
  { keys: ["5"], does: "Events", act: () => go("#/events") },
  { keys: ["6"], does: "Functions", act: () => go("#/functions") },
  { keys: ["/"], does: "To the filter", act: () => focusOn("main [data-first]") },
  { keys: ["j", "ArrowDown"], does: "Next process or function of the list; Enter opens it", act: () => step(1) },
  { keys: ["k", "ArrowUp"], does: "Previous process or function of the list", act: () => step(-1) },
  { keys: ["]"], does: "Next page", act: (view) => view?.turn?.(1) },
  { keys: ["["], does: "Previous page", act: (view) => view?.turn?.(-1) },
  {
    keys: ["m"],
    does: "To the message form of a process",
    act: () => focusOn("main .message textarea:not([hidden]), main .message select"),
  },
  {
    keys: ["p"],
    does: "Pause or resume a process",
    act: () => press('main [data-act="pause"], main [data-act="resume"]'),
  },
  { keys: ["t"], does: "Light, dark, or as the system says", act: switchTheme },
  { keys: ["s"], does: "Sign in", act: () => (mayRead() ? undefined : askForToken()) },
  { keys: ["?"], does: "This help", act: () => showHelp() },
];
/** What the browser does by itself. */
const GIVEN = [
  ["Esc", "Close a dialog, or leave a field"],
  ["Tab", "To the next link, button or field"],
];

/** @param {() => View} currentView */
export function startKeys(currentView) {
  const rows = [...KEYS.map(({ keys, does }) => [keys.map(nameKey).join(" or "), does]), ...GIVEN];
  fill(
    byId("keys"),
    ...rows.map(([key = "", does = ""]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, does))),
  );
  byId("help-button").addEventListener("click", showHelp);
  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const isTyping = target.matches("input, textarea, select");
    if (event.key === "Escape" && isTyping) return target.blur();
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const known = KEYS.find(({ keys }) => keys.includes(event.key));
    if (!known || (event.key.startsWith("Arrow") && !document.querySelector(".row-link"))) return;
    event.preventDefault();
    known.act(currentView());
  });
}

/** @param {string} key */
function nameKey(key) {
  return { ArrowDown: "↓", ArrowUp: "↑" }[key] ?? key;
}

function showHelp() {
  /** @type {HTMLDialogElement} */ (byId("help")).showModal();
}

/** @param {string} selector */
function focusOn(selector) {
  /** @type {HTMLElement | null} */ (document.querySelector(selector))?.focus();
}

/** @param {string} selector */
function press(selector) {
  const buttons = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(selector)]);
  buttons.find(({ hidden }) => !hidden)?.click();
}

/** @param {number} by */
function step(by) {
  const links = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("main .row-link")]);
  const at = links.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
}

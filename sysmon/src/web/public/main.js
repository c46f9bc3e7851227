/** Starts the page, and shows the view that the address names. */

import { fillWithWords, startDialogs } from "./dialogs.js";
import { byId, fill, h } from "./dom.js";
import { startKeys } from "./keys.js";
import { onPicture, startLive } from "./live.js";
import { readPlace } from "./router.js";
import { askForToken, mayRead, maySeeCounts, onSession, startSession } from "./session.js";
import { startTheme } from "./theme.js";
import { showFunction } from "./view-function.js";
import { showFunctions } from "./view-functions.js";
import { showEvents, showLogs } from "./view-logs.js";
import { showNodes } from "./view-nodes.js";
import { showOverview } from "./view-overview.js";
import { showProcess } from "./view-process.js";
import { prepareStart, showProcesses } from "./view-processes.js";

/**
 * @typedef {{ update(): void, turn?: (by: number) => void, close?: () => void }} View
 * @typedef {{ title: string, isOpen?: boolean, tab?: string, show: (root: HTMLElement, place: import("./router.js").Place) => View }} ViewKind
 */

/** @type {Record<string, ViewKind>} `isOpen` views show nothing but counts. */
const VIEWS = {
  overview: { title: "Overview", isOpen: true, show: showOverview },
  nodes: { title: "Nodes", isOpen: true, show: showNodes },
  processes: { title: "Processes", show: showProcesses },
  process: { title: "Process", tab: "processes", show: showProcess },
  logs: { title: "Logs", show: showLogs },
  events: { title: "Events", show: showEvents },
  functions: { title: "Functions", show: showFunctions },
  function: { title: "Function", tab: "functions", show: showFunction },
};

/** @type {View | undefined} */
let view;

function showPlace() {
  view?.close?.();
  view = undefined;
  const place = readPlace();
  const kind = VIEWS[place.view] ?? /** @type {ViewKind} */ (VIEWS["overview"]);
  const name = place.view === "process" || place.view === "function" ? place.rest.join("/") : kind.title;
  document.title = `${name} · genserverless`;
  markTab(kind.tab ?? (VIEWS[place.view] ? place.view : "overview"));
  const root = byId("view");
  root.className = `view-${VIEWS[place.view] ? place.view : "overview"}`;
  if (!(kind.isOpen ? maySeeCounts() : mayRead())) return demandToken(root, kind.title);
  view = kind.show(root, place);
  view.update();
}

/**
 * @param {HTMLElement} root
 * @param {string} title
 */
function demandToken(root, title) {
  const button = h("button", { type: "button", class: "primary", on: { click: askForToken } }, "Sign in");
  fillWithWords(root, `${title} needs a token. It was printed when the cluster started.`);
  root.append(h("p", { class: "empty" }, button));
}

/** @param {string} name */
function markTab(name) {
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.getAttribute("href") === `#/${name}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (isHere) link.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

startTheme();
startDialogs();
prepareStart();
startKeys(() => view);
fill(byId("view"));
await startSession();
onSession(showPlace);
onPicture(() => view?.update());
addEventListener("hashchange", showPlace);
startLive();
showPlace();

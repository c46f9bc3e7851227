/** The list of processes, filtered and in pages, and starting a new one. What is asked for stands in the address. */

/** @import { ProcessView, ProcessPage } from "../../../../shared/src/inspect/views.ts" */

import { fillWithWords, note, panel } from "./dialogs.js";
import { byId, fill, h, keep, say } from "./dom.js";
import { ABSENT, formatCount, formatTime, toPrintable } from "./format.js";
import { CLUSTER, describeProblem, request } from "./http.js";
import { clusterView } from "./live.js";
import { go, linkToProcess, noteQuery } from "./router.js";
import { mayAct } from "./session.js";
import { repeat } from "./stream.js";

const STATUSES = ["", "running", "idle", "starting", "paused", "stopped", "quarantined"];
const EVERY_MS = 1000;
const LIMIT = 50;
const COLUMNS = ["Process", "Status", "Owner", "Waiting", "Delayed", "Failed", "Turns", "Revision", "Updated", "Tags"];

/**
 * @param {HTMLElement} root
 * @param {import("./router.js").Place} place
 */
export function showProcesses(root, { query }) {
  const fields = {
    module: h("input", {
      name: "module",
      list: "modules",
      placeholder: "any module",
      "aria-label": "Module",
      "data-first": true,
    }),
    status: h(
      "select",
      { name: "status", "aria-label": "Status" },
      ...STATUSES.map((status) => h("option", { value: status }, status || "any status")),
    ),
    tag: h("input", { name: "tag", placeholder: "any tag", "aria-label": "Tag" }),
    owner: h("input", { name: "owner", list: "workers", placeholder: "any owner", "aria-label": "Owner" }),
  };
  for (const [name, field] of Object.entries(fields)) field.value = query.get(name) ?? "";
  /** @type {string[]} Where each page began; the last one is shown. */
  let cursors = [query.get("cursor") ?? ""];
  /** @type {string | undefined} */
  let nextCursor;

  const body = h("tbody");
  const words = h("div");
  const place = h("span", { class: "quiet", role: "status" });
  const previous = h("button", { type: "button", on: { click: () => turn(-1) } }, "← Previous");
  const next = h("button", { type: "button", on: { click: () => turn(1) } }, "Next →");
  const form = h(
    "form",
    { class: "filter", on: { input: change, submit: (event) => event.preventDefault() } },
    ...Object.values(fields),
  );
  const start = h("button", { type: "button", class: "act", on: { click: openStart } }, "Start…");
  const table = h(
    "table",
    { class: "cards processes" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ...COLUMNS.map((label, index) => h("th", { scope: "col", class: isNumeric(index) && "number" }, label)),
      ),
    ),
    body,
  );
  const lists = h("div", { hidden: true }, h("datalist", { id: "modules" }), h("datalist", { id: "workers" }));
  fill(
    root,
    panel(
      "Processes",
      { class: "flush", beside: [form, h("span", { class: "spring" }), start] },
      h("div", { class: "scroll" }, table),
      words,
      h("div", { class: "pager" }, previous, place, next),
    ),
    lists,
  );

  const reading = repeat(read, EVERY_MS);

  async function read() {
    const asked = new URLSearchParams({ limit: String(LIMIT) });
    for (const [name, field] of Object.entries(fields)) if (field.value.trim()) asked.set(name, field.value.trim());
    const cursor = cursors.at(-1);
    if (cursor) asked.set("cursor", cursor);
    const answer = await request("GET", `/api/processes?${asked}`);
    if (answer.status !== 200) {
      if (answer.status !== 503) body.replaceChildren();
      return fillWithWords(words, describeProblem(answer));
    }
    draw(answer.body);
  }

  /** @param {ProcessPage} page */
  function draw(page) {
    nextCursor = page.nextCursor;
    keep(body, page.processes, ({ pid }) => pid, makeRow, updateRow);
    if (page.processes.length > 0) words.replaceChildren();
    else
      fillWithWords(
        words,
        nextCursor ? "None in this part of the list; the next page goes on." : "No process is like that.",
      );
    say(place, `Page ${cursors.length}, ${formatCount(page.processes.length)} processes`);
    previous.disabled = cursors.length < 2;
    next.disabled = nextCursor === undefined;
  }

  function change() {
    cursors = [""];
    noteQuery(readFields());
    reading.now();
  }

  function readFields() {
    return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value.trim()]));
  }

  /** @param {number} by */
  function turn(by) {
    if (by > 0 && nextCursor !== undefined) cursors.push(nextCursor);
    else if (by < 0 && cursors.length > 1) cursors.pop();
    else return;
    noteQuery({ ...readFields(), cursor: cursors.at(-1) ?? "" });
    reading.now();
  }

  return {
    turn,
    update() {
      start.hidden = !mayAct();
      const nodes = clusterView()?.nodes ?? [];
      const workers = nodes.filter(({ role }) => role === "worker" || role === "gateway");
      const modules = new Set(workers.flatMap((worker) => worker.modules ?? []).map((name) => name.replace(/@.*/, "")));
      offer(lists.firstElementChild, [...modules].sort());
      offer(lists.lastElementChild, workers.map(({ name }) => name).sort());
    },
    close: reading.stop,
  };
}

/**
 * @param {Element | null} list
 * @param {string[]} values
 */
function offer(list, values) {
  if (list) keep(list, values, String, (value) => h("option", { value }));
}

/** @param {number} column */
function isNumeric(column) {
  return column > 2 && column < 9;
}

/** @param {ProcessView} process */
function makeRow({ pid }) {
  const cells = COLUMNS.map((label, index) =>
    h("td", { "data-label": label, class: isNumeric(index) && "number" }, h("span")),
  );
  cells[0]?.replaceChildren(h("a", { href: linkToProcess(pid), class: "row-link" }, toPrintable(pid)));
  return h("tr", {}, ...cells);
}

/**
 * @param {HTMLElement} row
 * @param {ProcessView} process
 */
function updateRow(row, { status, reason, owner, mailbox, turns, revision, updatedAt, tags }) {
  const texts = [
    status,
    owner?.replace(/#.*/, "") ?? ABSENT,
    formatCount(mailbox.waiting),
    formatCount(mailbox.delayed),
    formatCount(mailbox.failed),
    formatCount(turns),
    formatCount(revision),
    formatTime(updatedAt),
    tags.join(", ") || ABSENT,
  ];
  texts.forEach((text, index) => {
    const cell = row.children[index + 1];
    cell?.classList.toggle("absent", text === ABSENT);
    cell?.classList.toggle("zero", text === "0");
    say(cell?.firstElementChild, toPrintable(text));
  });
  row.className = status;
  row.title = reason ? toPrintable(reason) : "";
}

function openStart() {
  /** @type {HTMLDialogElement} */ (byId("start")).showModal();
}

/** The form in which a process is started; it is part of the page. */
export function prepareStart() {
  const form = /** @type {HTMLFormElement} */ (byId("start-form"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = (/** @type {string} */ name) => String(new FormData(form).get(name) ?? "").trim();
    const body = { module: text("module"), key: text("key") || undefined, args: undefined };
    try {
      if (text("args")) body.args = JSON.parse(text("args"));
    } catch (error) {
      return say(byId("start-error"), `The arguments are not JSON: ${/** @type {Error} */ (error).message}`);
    }
    const answer = await request("POST", `${CLUSTER}/processes`, body);
    if (answer.status >= 300 || answer.status === 0) return say(byId("start-error"), describeProblem(answer));
    say(byId("start-error"), "");
    /** @type {HTMLDialogElement} */ (byId("start")).close();
    note(`${answer.body.pid} is there`);
    go(linkToProcess(answer.body.pid));
  });
}

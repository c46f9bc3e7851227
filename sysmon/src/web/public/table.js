/** A table whose rows stay where they are while their texts change. On a narrow page its rows are cards. */

import { h, keep, say } from "./dom.js";
import { ABSENT, toPrintable } from "./format.js";

/**
 * @template Item
 * @typedef {object} Cell
 * @property {string} label
 * @property {string} [title]
 * @property {boolean} [isNumber]
 * @property {(item: Item) => string} [read] Its text, read with each drawing.
 * @property {(item: Item) => string} [link] Where its text leads.
 * @property {(item: Item) => HTMLElement} [make] What it holds in place of a text, made with its row.
 */

/**
 * @template Item
 * @param {object} what
 * @param {string} what.name The table's class.
 * @param {readonly Cell<Item>[]} what.cells
 * @param {(item: Item) => string} what.keyOf
 * @param {(item: Item) => string} [what.classOf] A row's class.
 * @param {(item: Item) => string} [what.titleOf] A row's title.
 */
export function makeTable({ name, cells, keyOf, classOf = () => "", titleOf = () => "" }) {
  const body = h("tbody");
  const head = cells.map(({ label, title, isNumber }) =>
    h("th", { scope: "col", title, class: isNumber && "number" }, label),
  );
  const table = h("table", { class: `cards ${name}` }, h("thead", {}, h("tr", {}, ...head)), body);

  /** @param {Item} item */
  function makeRow(item) {
    const content = (/** @type {Cell<Item>} */ { make, link }) =>
      make?.(item) ?? (link ? h("a", { href: link(item), class: "row-link" }) : h("span"));
    return h(
      "tr",
      {},
      ...cells.map((cell) => h("td", { "data-label": cell.label, class: cell.isNumber && "number" }, content(cell))),
    );
  }

  /**
   * @param {HTMLElement} row
   * @param {Item} item
   */
  function updateRow(row, item) {
    row.className = classOf(item);
    row.title = toPrintable(titleOf(item));
    cells.forEach(({ read }, index) => {
      if (!read) return;
      const text = toPrintable(read(item));
      const cell = row.children[index];
      cell?.classList.toggle("absent", text === ABSENT);
      cell?.classList.toggle("zero", text === "0");
      say(cell?.firstElementChild, text);
    });
  }

  return {
    element: h("div", { class: "scroll" }, table),
    /** @param {readonly Item[]} items */
    draw: (items) => keep(body, items, keyOf, makeRow, updateRow),
  };
}

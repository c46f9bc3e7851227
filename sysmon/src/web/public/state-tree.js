/**
 * A JSON value as a tree that opens where one looks: children are made when their parent is opened, a hundred at a time,
 * and long texts are cut, so that a state of many megabytes costs no more than what is seen of it. What was open stays
 * open when the value is shown anew.
 */

import { h } from "./dom.js";
import { formatCount, toPrintable } from "./format.js";

const CHUNK = 100;
const TEXT_SHOWN = 200;
const TEXT_OPENED = 20_000;
/** A value with no more parts than this is open from the beginning. */
const OPEN_PARTS = 20;

export class StateTree {
  /** Paths that are open, and those that the reader has closed. */
  #open = new Map();
  element = h("div", { class: "tree" });

  /** @param {unknown} value */
  show(value) {
    this.element.replaceChildren(this.#make(undefined, value, "$", 0));
  }

  /**
   * @param {string | undefined} name
   * @param {unknown} value
   * @param {string} path
   * @param {number} depth
   * @returns {HTMLElement}
   */
  #make(name, value, path, depth) {
    if (typeof value !== "object" || value === null)
      return h("div", { class: "leaf" }, makeName(name), makeLeaf(value));
    const size = Array.isArray(value) ? value.length : Object.keys(value).length;
    if (size === 0)
      return h("div", { class: "leaf" }, makeName(name), h("span", { class: "quiet" }, braces(value, "")));
    const children = h("div", { class: "branch" });
    const summary = h(
      "summary",
      {},
      makeName(name),
      h("span", { class: "quiet" }, braces(value, describeSize(value, size))),
    );
    const details = h("details", {}, summary, children);
    const grow = () => {
      if (children.childElementCount === 0) this.#grow(children, value, path, depth + 1, 0);
    };
    details.open = this.#open.get(path) ?? (depth === 0 || (depth < 3 && size <= OPEN_PARTS));
    if (details.open) grow();
    // Told at once: what is shown anew before the browser tells the toggle has to know of it.
    summary.addEventListener("click", () => this.#open.set(path, !details.open));
    details.addEventListener("toggle", () => {
      if (!details.isConnected) return;
      this.#open.set(path, details.open);
      if (details.open) grow();
    });
    return details;
  }

  /**
   * @param {HTMLElement} parent
   * @param {object} value
   * @param {string} path
   * @param {number} depth
   * @param {number} from
   */
  #grow(parent, value, path, depth, from) {
    const names = Array.isArray(value) ? undefined : Object.keys(value);
    const size = names?.length ?? /** @type {unknown[]} */ (value).length;
    const to = Math.min(size, from + CHUNK);
    for (let index = from; index < to; index++) {
      const name = names?.[index] ?? String(index);
      const child = /** @type {Record<string, unknown>} */ (value)[name];
      parent.append(this.#make(name, child, `${path}/${name}`, depth));
    }
    if (to === size) return;
    const more = h("button", { type: "button", class: "more" }, `${formatCount(size - to)} more`);
    more.addEventListener("click", () => {
      more.remove();
      this.#grow(parent, value, path, depth, to);
    });
    parent.append(more);
  }
}

/** @param {string | undefined} name */
function makeName(name) {
  if (name === undefined) return false;
  return h("span", {}, h("span", { class: "name" }, toPrintable(name.slice(0, TEXT_SHOWN))), ": ");
}

/** @param {unknown} value */
function makeLeaf(value) {
  const kind = value === null ? "null" : typeof value;
  const text = JSON.stringify(value);
  if (text.length <= TEXT_SHOWN) return h("span", { class: `value ${kind}` }, toPrintable(text));
  const shown = h("span", { class: `value ${kind}` }, toPrintable(`${text.slice(0, TEXT_SHOWN)}…`));
  const more = h("button", { type: "button", class: "more" }, `${formatCount(text.length)} characters`);
  more.addEventListener("click", () => {
    const isCut = text.length > TEXT_OPENED;
    shown.textContent = toPrintable(isCut ? `${text.slice(0, TEXT_OPENED)}…` : text);
    more.remove();
  });
  return h("span", {}, shown, " ", more);
}

/**
 * @param {object} value
 * @param {string} inside
 */
function braces(value, inside) {
  return Array.isArray(value) ? `[${inside}]` : `{${inside}}`;
}

/**
 * @param {object} value
 * @param {number} size
 */
function describeSize(value, size) {
  if (Array.isArray(value)) return `${formatCount(size)} ${size === 1 ? "element" : "elements"}`;
  return `${formatCount(size)} ${size === 1 ? "field" : "fields"}`;
}

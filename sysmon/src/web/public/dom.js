/** Making and changing elements. Whatever comes from the cluster is set as text, never as markup. */

/**
 * @typedef {string | number | Node | undefined | false} Child
 * @typedef {{ class?: string | false | undefined, on?: Record<string, (event: any) => void>, [attribute: string]: unknown }} Attributes
 */

/**
 * An element with attributes and children; an attribute that is `undefined` or `false` is left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  const { on = {}, ...rest } = attributes;
  for (const [name, value] of Object.entries(rest)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  element.append(...toNodes(children));
  return element;
}

/**
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...toNodes(children));
}

/**
 * Makes `parent` hold one element per item, in order, reusing the element that an item's key had before, so that what is
 * selected or focused stays so. What has to move loses the focus by that, and is given it back.
 * @template Item
 * @param {Element} parent
 * @param {readonly Item[]} items
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => HTMLElement} make
 * @param {(element: HTMLElement, item: Item) => void} [update]
 */
export function keep(parent, items, keyOf, make, update = () => {}) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const children = /** @type {HTMLElement[]} */ (Array.from(parent.children));
  const before = new Map(children.map((element) => [element.dataset["key"], element]));
  const keys = new Set(items.map(keyOf));
  for (const [key, element] of before) if (key === undefined || !keys.has(key)) element.remove();
  items.forEach((item, index) => {
    const key = keyOf(item);
    const element = before.get(key) ?? make(item);
    before.delete(key);
    element.dataset["key"] = key;
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
    update(element, item);
  });
  if (focused !== document.activeElement && parent.contains(focused)) focused?.focus({ preventScroll: true });
}

/**
 * @param {Element | null | undefined} element
 * @param {string} text
 */
export function say(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** @param {string} id */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @param {Child[]} children */
function toNodes(children) {
  return children
    .filter((child) => child !== undefined && child !== false)
    .map((child) => (typeof child === "number" ? String(child) : /** @type {string | Node} */ (child)));
}

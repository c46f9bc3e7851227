/** A list of log lines that goes on: once a frame what came is shown, and its end stays in sight until one scrolls away. */

import { h, say } from "./dom.js";
import { formatCount } from "./format.js";

const MOST_LINES = 1000;
/** So near to the end the list goes on by itself. */
const NEAR_END_PX = 40;

/**
 * @template Entry
 * @param {{ title: string, empty: string, make: (entry: Entry) => HTMLElement }} what `empty` is said while there is no line.
 */
export function makeLogList({ title, empty, make }) {
  const total = h("span", { class: "quiet" });
  const follow = h(
    "button",
    { type: "button", class: "small", "aria-pressed": "true", on: { click: toggle } },
    "Follow",
  );
  const clear = h("button", { type: "button", class: "small", on: { click: () => empties() } }, "Clear");
  const words = h("p", { class: "empty" }, empty);
  const list = h("ol", { class: "log", tabindex: "0", "aria-label": title, on: { scroll: noteScroll } });

  let isFollowing = true;
  /** @type {Entry[]} Told, and not shown yet. */
  let told = [];
  let isPlanned = false;

  /** @param {Entry} entry */
  function take(entry) {
    told.push(entry);
    if (isPlanned) return;
    isPlanned = true;
    requestAnimationFrame(show);
  }

  /** Once a frame, however many came. */
  function show() {
    isPlanned = false;
    const entries = told.slice(-MOST_LINES);
    told = [];
    list.append(...entries.map(make));
    while (list.childElementCount > MOST_LINES) list.firstElementChild?.remove();
    words.hidden = list.childElementCount > 0;
    say(total, formatCount(list.childElementCount));
    if (isFollowing) list.scrollTop = list.scrollHeight;
  }

  function empties() {
    list.replaceChildren();
    told = [];
    words.hidden = false;
    say(total, "");
  }

  function toggle() {
    setFollowing(!isFollowing);
    if (isFollowing) list.scrollTop = list.scrollHeight;
  }

  function noteScroll() {
    setFollowing(list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END_PX);
  }

  /** @param {boolean} now */
  function setFollowing(now) {
    isFollowing = now;
    follow.setAttribute("aria-pressed", String(now));
  }

  return {
    /** For the head of its panel, and for its body. */
    tools: [total, follow, clear],
    body: [words, list],
    take,
    empties,
  };
}

/**
 * A line chart of the last two minutes, drawn as SVG. Time runs to the right edge, which is now; a gap in what is known
 * is a gap in the line. The newest value stands beside the title, and under the pointer the one of that moment.
 */

/** @import { Beat } from "../../history.ts" */

import { fill, h, say } from "./dom.js";
import { ABSENT, formatTime } from "./format.js";

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string} tone A colour's name in console.css.
 * @property {(beat: Beat) => number | undefined} read
 */

const SVG = "http://www.w3.org/2000/svg";
const SPAN_MS = 120_000;
const WIDTH = 1000;
const HEIGHT = 100;
/** Beats further apart than this have a gap between them. */
const GAP_MS = 5_000;

/**
 * @param {string} title
 * @param {Series[]} series
 * @param {(value: number | undefined) => string} format
 * @param {{ isWhole?: boolean }} [options] Whether the values are whole numbers.
 */
export function makeChart(title, series, format, { isWhole = false } = {}) {
  const lines = series.map(({ tone }) => makeShape("path", { class: `line ${tone}` }));
  const area = makeShape("path", { class: `area ${series[0]?.tone}` });
  const cursor = makeShape("line", { class: "cursor", y1: "0", y2: String(HEIGHT), visibility: "hidden" });
  const svg = makeShape("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  svg.append(area, ...lines, cursor);
  const values = series.map(() => h("dd"));
  const legend = h(
    "dl",
    { class: "chart-legend" },
    ...series.map(({ name, tone }, index) => h("div", { class: tone }, h("dt", {}, name), values[index])),
  );
  const top = h("span", { class: "chart-top" });
  const when = h("span", { class: "chart-when" });
  const element = h(
    "figure",
    { class: "panel chart", "aria-label": title },
    h("figcaption", {}, h("h2", {}, title), when, legend),
    h("div", { class: "plot" }, top, h("div", { class: "plot-box" })),
    h("div", { class: "chart-times" }, h("span", {}, "2 min ago"), h("span", {}, "now")),
  );
  element.querySelector(".plot-box")?.append(svg);

  /** @type {readonly Beat[]} */
  let beats = [];
  let nowMs = 0;
  /** @type {number | undefined} */
  let pointedAt;

  const draw = () => {
    const most = ceiling(beats, series, isWhole);
    say(top, format(most));
    for (const [index, { read }] of series.entries()) {
      lines[index]?.setAttribute("d", tracePath(beats, read, nowMs, most).line);
    }
    const first = series[0];
    area.setAttribute("d", first ? tracePath(beats, first.read, nowMs, most).area : "");
    const shown = pointedAt === undefined ? beats.at(-1) : nearest(beats, nowMs - (1 - pointedAt) * SPAN_MS);
    for (const [index, { read }] of series.entries()) say(values[index], shown ? format(read(shown)) : ABSENT);
    say(when, pointedAt !== undefined && shown ? formatTime(shown.atMs) : "");
    cursor.setAttribute("visibility", pointedAt !== undefined && shown ? "visible" : "hidden");
    if (shown) for (const end of ["x1", "x2"]) cursor.setAttribute(end, toX(shown.atMs, nowMs).toFixed(1));
  };
  svg.addEventListener("pointermove", (event) => {
    const { left, width } = svg.getBoundingClientRect();
    pointedAt = (event.clientX - left) / width;
    draw();
  });
  svg.addEventListener("pointerleave", () => {
    pointedAt = undefined;
    draw();
  });
  return {
    element,
    /** @param {readonly Beat[]} given */
    draw: (given) => {
      beats = given;
      nowMs = Math.max(Date.now(), given.at(-1)?.atMs ?? 0);
      draw();
    },
  };
}

/**
 * @param {readonly Beat[]} beats
 * @param {Series["read"]} read
 * @param {number} nowMs
 * @param {number} most
 */
function tracePath(beats, read, nowMs, most) {
  let line = "";
  let area = "";
  let lastX = 0;
  let lastMs = 0;
  const close = () => (area && !area.endsWith("Z") ? `L${lastX.toFixed(1)},${HEIGHT}Z` : "");
  for (const beat of beats) {
    const value = read(beat);
    if (value === undefined) continue;
    const x = toX(beat.atMs, nowMs);
    const y = HEIGHT - (value / most) * (HEIGHT - 4) - 1;
    const point = `${x.toFixed(1)},${y.toFixed(1)}`;
    const isNew = beat.atMs - lastMs > GAP_MS;
    if (isNew) area += `${close()}M${x.toFixed(1)},${HEIGHT}`;
    line += `${isNew ? "M" : "L"}${point}`;
    area += `L${point}`;
    lastX = x;
    lastMs = beat.atMs;
  }
  return { line, area: area + close() };
}

/**
 * @param {number} atMs
 * @param {number} nowMs
 */
function toX(atMs, nowMs) {
  return WIDTH * (1 - (nowMs - atMs) / SPAN_MS);
}

/**
 * A round number that nothing exceeds.
 * @param {readonly Beat[]} beats
 * @param {Series[]} series
 * @param {boolean} isWhole
 */
function ceiling(beats, series, isWhole) {
  const most = Math.max(...beats.flatMap((beat) => series.map(({ read }) => read(beat) ?? 0)), isWhole ? 4 : 1);
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [1, 2, 4, 5, 10].find((factor) => factor * power >= most) ?? 10;
  return step * power;
}

/**
 * @param {readonly Beat[]} beats
 * @param {number} atMs
 */
function nearest(beats, atMs) {
  /** @param {Beat | undefined} beat */
  const distance = (beat) => (beat ? Math.abs(beat.atMs - atMs) : Number.POSITIVE_INFINITY);
  return beats.reduce(
    (best, beat) => (distance(beat) < distance(best) ? beat : best),
    /** @type {Beat | undefined} */ (undefined),
  );
}

/**
 * @template {"svg" | "path" | "line"} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} attributes
 */
function makeShape(tag, attributes) {
  const shape = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
  return shape;
}

/**
 * A bar of shares of one whole.
 * @param {Element} bar
 * @param {{ name: string, share: number }[]} shares
 */
export function drawBar(bar, shares) {
  fill(
    bar,
    ...shares
      .filter(({ share }) => share > 0)
      .map(({ name, share }) => {
        const part = h("i", { class: name, title: name });
        part.style.flexGrow = String(share);
        return part;
      }),
  );
}

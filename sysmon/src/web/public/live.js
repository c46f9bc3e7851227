/**
 * The cluster as it is now, and its last two minutes. The page is in one of five states, held in `data-state` of the
 * body: loading, live, away (sysmon answers, Redis does not), lost (sysmon does not answer) and closed (even the counts
 * need a token). Away and lost keep the last picture, greyed; the next good one makes it live again.
 */

/** @import { ClusterView, NodeView } from "../../../../shared/src/inspect/views.ts" */
/** @import { Beat } from "../../history.ts" */

import { byId, say } from "./dom.js";
import { formatSpan } from "./format.js";
import { maySeeCounts, onSession } from "./session.js";
import { openStream } from "./stream.js";

/** @typedef {{ view?: ClusterView, ageMs: number, away: boolean, beat?: Beat }} Picture */

const MOST_BEATS = 120;
const SILENCE_MS = 5000;
const WORDS = {
  loading: "connecting",
  live: "live",
  away: "Redis is away",
  lost: "sysmon does not answer",
  closed: "signed out",
};

/** @type {ClusterView | undefined} */
let view;
/** @type {Beat[]} */
let beats = [];
let takenAtMs = 0;
let heardAtMs = performance.now();
let isAway = false;
/** @type {(() => void) | undefined} */
let close;
/** @type {Set<() => void>} */
const listeners = new Set();

export function clusterView() {
  return view;
}

/** How long ago the picture was taken. */
export function pictureAgeMs() {
  return Date.now() - takenAtMs;
}

export function recentBeats() {
  return beats;
}

/** @param {() => void} listener */
export function onPicture(listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function startLive() {
  onSession(connect);
  connect();
  setInterval(showState, 500);
}

function connect() {
  close?.();
  close = undefined;
  if (maySeeCounts()) close = openStream({ path: "/api/live", events: { history: takeHistory, picture: takePicture } });
  showState();
}

/** @param {Beat[]} told */
function takeHistory(told) {
  for (const beat of told) addBeat(beat);
}

/** @param {Picture} picture */
function takePicture(picture) {
  heardAtMs = performance.now();
  isAway = picture.away;
  if (picture.view) {
    view = picture.view;
    takenAtMs = Date.now() - picture.ageMs;
  }
  if (picture.beat) addBeat(picture.beat);
  showState();
  for (const listener of listeners) listener();
}

/** @param {Beat} beat */
function addBeat(beat) {
  if (beat.atMs <= (beats.at(-1)?.atMs ?? 0)) return;
  beats = [...beats, beat].slice(-MOST_BEATS);
}

function showState() {
  const isSilent = performance.now() - heardAtMs > SILENCE_MS && !document.hidden;
  const known = !maySeeCounts() ? "closed" : isSilent ? "lost" : isAway ? "away" : view ? "live" : "loading";
  document.body.dataset["state"] = known;
  say(byId("state"), WORDS[known]);
  const isOld = view && (known === "away" || known === "lost");
  say(byId("updated"), isOld ? `The picture is ${formatSpan(pictureAgeMs())} old` : "");
}

/**
 * Asks sysmon for the cluster once a second while the page is seen, and shows what it got. The page is in one of four
 * states, held in `data-state` of the body: loading, live, away (sysmon answers, Redis does not) and lost (sysmon does not
 * answer). Away and lost keep the last picture, greyed; the next good answer makes it live again.
 */

import { drawCluster } from "./cluster.js";
import { formatSpan } from "./format.js";

const BEAT_MS = 1000;
const PATIENCE_MS = 5000;

const state = document.getElementById("state");
const updated = document.getElementById("updated");
const waiting = document.getElementById("waiting");
const cluster = document.getElementById("cluster");

let takenAt;
let beating = false;

async function readCluster() {
  const response = await fetch("/api/cluster", { signal: AbortSignal.timeout(PATIENCE_MS), cache: "no-store" });
  if (response.status === 503) return undefined;
  if (!response.ok) throw new Error(`sysmon answered ${response.status}`);
  return response.json();
}

async function beat() {
  if (beating || document.hidden) return;
  beating = true;
  try {
    const view = await readCluster();
    if (view) show(view);
    turn(view?.redis.connected ? "live" : "away");
  } catch (error) {
    console.warn(error);
    turn("lost");
  } finally {
    beating = false;
  }
}

function show(view) {
  takenAt = Date.now() - view.ageMs;
  drawCluster(view);
  cluster.hidden = false;
  waiting.hidden = true;
}

function turn(next) {
  const words = { live: "live", away: "Redis is away", lost: "sysmon does not answer" }[next];
  if (document.body.dataset.state !== next) {
    document.body.dataset.state = next;
    state.textContent = words;
    waiting.textContent = `${words}. The cluster appears here as soon as it is back.`;
  }
  updated.textContent = takenAt
    ? `Picture taken ${new Date(takenAt).toLocaleTimeString()}${next === "live" ? "" : `, ${formatSpan(Date.now() - takenAt)} ago`}`
    : "";
}

setInterval(beat, BEAT_MS);
document.addEventListener("visibilitychange", beat);
beat();

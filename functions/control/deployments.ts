/**
 * The deployments of a project, as values: what a new commit means, which one serves, where a rollback leads, which are
 * forgotten. Nothing here asks anybody.
 *
 *     building ──► ready        it serves, until another does
 *        │  └────► failed       the one before goes on serving
 *        └───────► superseded   another commit came before its build had ended
 */

import type { Manifest } from "@genserverless/shared/functions/manifest.ts";
import type { Deployment, ProjectState } from "@genserverless/shared/functions/processes.ts";

export interface Source {
  repository: string;
  /** As it was asked for. */
  asked?: string | undefined;
  ref: string;
  commit: string;
  manifest: Manifest;
}

const MOST_KEPT = 20;

export const EMPTY: ProjectState = { repository: "", deployments: [] };

export function currentOf(state: ProjectState): Deployment | undefined {
  return state.deployments.find(({ number }) => number === state.current);
}

export function buildingOf(state: ProjectState): Deployment | undefined {
  return state.deployments.find(({ status }) => status === "building");
}

/** What became of the last commit that somebody wanted. */
export function newestOf(state: ProjectState): Deployment | undefined {
  return state.deployments.at(-1);
}

/** Whether a commit is what serves, or is about to. */
export function isUnchanged(state: ProjectState, commit: string): boolean {
  return (buildingOf(state) ?? currentOf(state))?.commit === commit;
}

/** The state with a new deployment, in the place of one that is being built. */
export function begin(state: ProjectState, source: Source, at: string, rollbackOf?: number): ProjectState {
  const { repository, asked, ref, commit, manifest } = source;
  const number = (newestOf(state)?.number ?? 0) + 1;
  const building = buildingOf(state);
  const earlier = building ? change(state, building.number, { status: "superseded" }) : state;
  const deployment = { number, commit, ref, status: "building", at, isBegun: false, manifest } as const;
  return {
    ...(state.current !== undefined && { current: state.current }),
    ...(asked !== undefined && { ref: asked }),
    repository,
    deployments: [...earlier.deployments, { ...deployment, ...(rollbackOf !== undefined && { rollbackOf }) }],
  };
}

export function change(state: ProjectState, number: number, fields: Partial<Deployment>): ProjectState {
  const deployments = state.deployments.map((each) => (each.number === number ? { ...each, ...fields } : each));
  return { ...state, deployments };
}

/** Where a rollback leads: to the given deployment, or to the last one that served before the current one. */
export function findRollback(state: ProjectState, to: number | undefined): Deployment | string {
  const ready = state.deployments.filter(({ status, number }) => status === "ready" && number !== state.current);
  const current = currentOf(state);
  if (!current) return "nothing has been deployed yet";
  if (to === state.current) return `deployment ${to} is the one that serves`;
  const found = to === undefined ? ready.findLast((each) => each.number < current.number) : findReady(ready, to);
  if (found) return found;
  const numbers = ready.map(({ number }) => number).join(", ");
  const what = to === undefined ? "there is no deployment before the current one" : `there is no deployment ${to}`;
  return `${what} to go back to; there is ${numbers === "" ? "none" : numbers}`;
}

function findReady(ready: readonly Deployment[], to: number): Deployment | undefined {
  return ready.find(({ number }) => number === to);
}

/** Forgets the oldest beyond some, and says whose builds nobody can go back to any more. */
export function prune(state: ProjectState): { state: ProjectState; forgotten: string[] } {
  const kept = state.deployments.slice(-MOST_KEPT);
  const current = currentOf(state);
  if (current && !kept.includes(current)) kept.unshift(current);
  const commits = new Set(kept.map(({ commit }) => commit));
  const gone = state.deployments.filter(({ commit }) => !commits.has(commit)).map(({ commit }) => commit);
  return { state: { ...state, deployments: kept }, forgotten: [...new Set(gone)] };
}

/** Functions that the one manifest has and the other has not. */
export function missingIn(after: Manifest, before: Manifest | undefined): string[] {
  const names = new Set(after.functions.map(({ name }) => name));
  return (before?.functions ?? []).map(({ name }) => name).filter((name) => !names.has(name));
}

/**
 * Makes a stored state one that this version of the module can use: what `load` makes of it or, where another version left
 * it, what `codeChange` does with what that version's `dump` had stored. Without a `codeChange` a state of an earlier version
 * is taken as it is, as in OTP; one of a later version is not.
 */

import { ok } from "../returns.ts";
import type { ServerModule } from "../server-module.ts";
import { describeError, readState, readTurn } from "./turn.ts";

/** The state as an object, with its stored text where that is another now; or why it cannot be used. Never throws. */
export type Changed = { state: unknown; stateText: string | undefined } | { error: string };

export async function changeState(module: ServerModule, fromVersion: number, stateText: string): Promise<Changed> {
  if (fromVersion > module.version && !module.codeChange) {
    return { error: `the state is of version ${fromVersion}, and ${module.name} is of version ${module.version}` };
  }
  if (fromVersion === module.version || !module.codeChange) return loadState(module, stateText);
  const what = `${module.name}.codeChange from version ${fromVersion} to ${module.version}`;
  try {
    const state: unknown = await module.codeChange(fromVersion, JSON.parse(stateText));
    const result = readTurn(module, "init", ok(state));
    if (result.kind === "goes-on") return { state: result.state, stateText: result.stateText };
    return { error: `${what}: ${result.kind === "fails" ? result.failure.detail : result.kind}` };
  } catch (error) {
    return { error: `${what} threw ${describeError(error)[0]}` };
  }
}

function loadState(module: ServerModule, stateText: string): Changed {
  try {
    return { state: readState(module, stateText), stateText: undefined };
  } catch (error) {
    return { error: `${module.name}.load threw ${describeError(error)[0]}` };
  }
}

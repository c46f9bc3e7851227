/**
 * Makes the stored state one that this version of the module can use: what `load` makes of it or, where another version
 * left it, what `codeChange` does. A state that neither can use is left as it was, and the process is set aside.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { ok } from "genserverless";
import { describeError, readState, readTurn } from "genserverless/runtime/turn.ts";
import type { Activation } from "./activation.ts";

const TIMED_OUT = Symbol("timed out");

/** Undefined where the state can be used, otherwise why it cannot. */
export async function prepare(activation: Activation): Promise<string | undefined> {
  const { module, fromVersion } = activation;
  const stateText = activation.stateText as string;
  if (fromVersion === module.version || !module.codeChange) {
    try {
      activation.state = readState(module, stateText);
    } catch (error) {
      return `${module.name}.load failed: ${describeError(error)[0]}`;
    }
    activation.isPrepared = true;
    return undefined;
  }
  const what = `${module.name}.codeChange from version ${fromVersion} to ${module.version}`;
  try {
    const timeout = sleep(module.turnTimeoutMs, TIMED_OUT, { ref: false });
    const state = await Promise.race([module.codeChange(fromVersion, JSON.parse(stateText)), timeout]);
    if (state === TIMED_OUT) return `${what} was not done within ${module.turnTimeoutMs} ms`;
    const result = readTurn(module, "init", ok(state));
    if (result.kind !== "goes-on") return `${what}: ${result.kind === "fails" ? result.failure.detail : result.kind}`;
    activation.accept(result.state, result.stateText);
    // The next commit names this version, whatever the write policy: the state goes with it.
    activation.storedText = undefined;
  } catch (error) {
    return `${what} failed: ${describeError(error)[0]}`;
  }
  activation.isPrepared = true;
  return undefined;
}

/** Where a command goes: to the process of an entity, or straight to the user function. */

import type { Pid } from "@genserverless/shared/process/pid.ts";
import type { Method } from "../descriptor/descriptor.ts";
import { readEntityId } from "../descriptor/entity-key.ts";
import type { Served, Spec } from "../discovery/spec.ts";
import type { CommandContent, EffectContent } from "../entity/command-content.ts";
import { pidOf } from "../entity/entity-names.ts";

export interface Target {
  served: Served;
  method: Method;
  /** Of an entity. */
  pid?: Pid;
  /** What to send it. */
  command?: CommandContent;
}

/** Forwards and side effects that go round would never end. */
const MOST_HOPS = 100;

/** Nothing takes the command, or it cannot be read. */
export class TargetError extends Error {
  override name = "TargetError";
}

/** Throws TargetError. */
export function findTarget(spec: Spec | undefined, effect: EffectContent): Target {
  const { serviceName, commandName, payload, metadata, hops = 0 } = effect;
  if (hops > MOST_HOPS) {
    throw new TargetError(`${serviceName}.${commandName} has come through more than ${MOST_HOPS} other commands`);
  }
  const served = spec?.services.get(serviceName);
  if (!served) throw new TargetError(`Service [${serviceName}] unknown`);
  const method = served.methods.get(commandName);
  if (!method) throw new TargetError(`Service [${serviceName}] has no command [${commandName}]`);
  if (served.kind === "action") return { served, method };
  const entityId = readId(method, Buffer.from(payload, "base64"));
  const command = {
    name: commandName,
    payload,
    entityId,
    ...(metadata.length > 0 && { metadata }),
    ...(hops > 0 && { hops }),
  };
  return { served, method, pid: pidOf(served.module, entityId), command };
}

/** Throws TargetError. */
export function readId({ path, keyFields, inputType }: Method, request: Uint8Array): string {
  try {
    return readEntityId(keyFields, request);
  } catch (error) {
    throw new TargetError(`${path}: the request is no ${inputType}: ${(error as Error).message}`);
  }
}

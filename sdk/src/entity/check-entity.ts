/** What is wrong with the definition of an entity. */

import { InvalidModuleError, isRetention, isWholeFrom1 } from "../check-definition.ts";

const NOT_FOR_ENTITIES = [
  "store",
  "writePolicy",
  "dump",
  "load",
  "journal",
  "init",
  "handleCall",
  "handleCast",
  "handleInfo",
];

/** Throws InvalidModuleError for the first thing that is wrong; `defineServer` checks the rest. */
export function checkEntity(definition: object): void {
  const fields: Record<string, unknown> = { ...definition };
  const fault = findFault(fields);
  if (fault) throw new InvalidModuleError(`entity ${String(fields["name"])}: ${fault}`);
}

function findFault(fields: Record<string, unknown>): string | undefined {
  const misplaced = NOT_FOR_ENTITIES.find((field) => fields[field] !== undefined);
  if (misplaced) return `${misplaced} is for defineServer`;
  for (const field of ["initial", "behavior", "codeChange"]) {
    const value = fields[field];
    if (typeof value !== "function" && (field === "initial" || value !== undefined))
      return `${field} must be a function`;
  }
  const { behavior, snapshotEvery, retention, upcast = {}, events, commands } = fields;
  if (behavior && (events || commands)) return "either behavior, or events and commands";
  if (!behavior && !commands) return "it has no commands, and no behavior";
  if (snapshotEvery !== undefined && !isWholeFrom1(snapshotEvery)) return "snapshotEvery must be a whole number from 1";
  if (retention !== undefined && !isRetention(retention))
    return "retention must be { events?, ms? }, whole numbers from 1";
  const notHandler = findNotFunction(events ?? {});
  if (notHandler !== undefined) return `events.${notHandler} must be a function (data, state) => state`;
  const notUpcast = findNotFunction(upcast);
  return notUpcast === undefined ? undefined : `upcast.${notUpcast} must be a function (event) => event`;
}

function findNotFunction(map: unknown): string | undefined {
  return Object.entries(map as object).find(([, value]) => typeof value !== "function")?.[0];
}

/**
 * OTP's supervisor as a durable process: it starts its children in order, monitors them, restarts those that end, and stops
 * them in reverse order when it stops. It is written with nothing but what every module has.
 *
 * Its children are not linked to it. Where it stops they are stopped first; where it is killed they go on, and its next life
 * finds them under their keys. It keeps no state beyond a life, for init is what starts and watches the children.
 */

import { InvalidModuleError } from "../check-definition.ts";
import type { Context } from "../contract.ts";
import { ok, reply, stop } from "../returns.ts";
import { defineServer } from "../server-module.ts";
import { type StartResult, startChild, stopInOrder } from "./child-life.ts";
import {
  type ChildSpec,
  type FullSupervision,
  idSchema,
  type PlacedSpec,
  placeChild,
  readSupervision,
  SpecError,
  type Supervision,
  specSchema,
} from "./child-spec.ts";
import { noteWaitOver, takeStep } from "./steps.ts";
import {
  countChildren,
  findChild,
  goOn,
  listChildren,
  noteDown,
  noteRunning,
  type State,
  type Step,
} from "./supervision.ts";

export interface SupervisorDefinition extends Omit<Supervision, "children"> {
  name: string;
  /** 1 unless given. */
  version?: number;
  /** A function is given the arguments of the start. */
  children: readonly ChildSpec[] | ((args: never, ctx: Context) => readonly ChildSpec[]);
}

/** A turn only ever waits for children, each of which has a deadline of its own. */
const TURN_MS = 3_600_000;
const START_ALL_WITHIN_MS = TURN_MS / 2;
const STOP_ALL_WITHIN_MS = TURN_MS - 60_000;
const MOST_TRIES = 3;
const LONGEST_REASON = 256;

/** A supervisor with children of its own. Throws InvalidModuleError where a spec is wrong; a function's specs are read by init. */
export function defineSupervisor({ name, version = 1, children, ...rest }: SupervisorDefinition) {
  if (typeof children !== "function") {
    const supervision = readNamed(name, { ...rest, children });
    return toModule(name, version, () => supervision);
  }
  readNamed(name, rest);
  return toModule(name, version, (args, ctx) => readSupervision({ ...rest, children: children(args as never, ctx) }));
}

function readNamed(name: string, given: Supervision): FullSupervision {
  try {
    return readSupervision(given);
  } catch (error) {
    throw error instanceof SpecError ? new InvalidModuleError(`module ${name}: ${error.message}`) : error;
  }
}

/** The module of that name whose children, strategy and intensity `read` makes of the start's arguments. */
export function toModule(name: string, version: number, read: (args: unknown, ctx: Context) => FullSupervision) {
  return defineServer({
    name,
    version,
    keepState: "never",
    trapExit: true,
    turnTimeoutMs: TURN_MS,
    init: (args: unknown, ctx) => begin(read(args, ctx), ctx),
    calls: {
      start_child: {
        args: specSchema,
        handle: (spec, from, state, ctx) => enqueue(state, { do: "start_child", spec, from }, ctx),
      },
      terminate_child: {
        args: idSchema,
        handle: (id, from, state, ctx) => enqueue(state, { do: "terminate_child", id, from }, ctx),
      },
      restart_child: {
        args: idSchema,
        handle: (id, from, state, ctx) => enqueue(state, { do: "restart_child", id, from }, ctx),
      },
      delete_child: {
        args: idSchema,
        handle: (id, from, state, ctx) => enqueue(state, { do: "delete_child", id, from }, ctx),
      },
      which_children: (_args, _from, state) => reply(listChildren(state), state),
      count_children: (_args, _from, state) => reply(countChildren(state), state),
    },
    infos: {
      DOWN: (down, state, ctx) => {
        noteDown(state, down as { ref: string; reason: string }, ctx);
        return goOn(state, ctx);
      },
      /** As in OTP a supervisor is not ended by an exit signal; who wants it to end stops it. */
      EXIT: (_exit, state, ctx) => goOn(state, ctx),
      try_again: (id, state, ctx) => {
        const isWanted = findChild(state, id as string)?.status === "restarting";
        if (isWanted) state.steps.push({ do: "restart", id: id as string });
        return goOn(state, ctx);
      },
      wait_over: (id, state, ctx) => {
        noteWaitOver(state, id, ctx);
        return goOn(state, ctx);
      },
      go_on: (_args, state, ctx) => goOn(state, ctx),
    },
    handleContinue: async (_step, state, ctx) => {
      const isOver = await takeStep(state, ctx);
      return isOver ? stop("shutdown", state) : goOn(state, ctx);
    },
    terminate: (_reason, { children }, ctx) => {
      const left = children.filter(({ status }) => status !== "stopped").map(({ spec }) => spec);
      return stopInOrder(left, ctx, ctx.now() + STOP_ALL_WITHIN_MS);
    },
  });
}

function enqueue(state: State, step: Step, ctx: Context) {
  state.steps.push(step);
  return goOn(state, ctx);
}

/** Starts the children, each after the one before has started; where one does not, those before it are stopped again. */
async function begin({ children, ...supervision }: FullSupervision, ctx: Context) {
  const specs: PlacedSpec[] = [];
  for (const spec of children) specs.push(placeChild(spec, ctx.key, specs));
  const state: State = { ...supervision, children: [], restarts: [], steps: [] };
  const endsAt = ctx.now() + START_ALL_WITHIN_MS;
  for (const spec of specs) {
    const result =
      ctx.now() < endsAt ? await startSurely(spec, ctx) : { kind: "failed" as const, why: "no time is left" };
    if ("why" in result) {
      // What a declined start wants to send does not leave: the brutal way would leave them there.
      const others = specs.slice(0, specs.indexOf(spec) + 1).map((one) => ({ ...one, shutdown: politely(one) }));
      await stopInOrder(others, ctx, ctx.now() + STOP_ALL_WITHIN_MS - START_ALL_WITHIN_MS);
      return stop(`shutdown: child ${spec.id} did not start: ${result.why}`.slice(0, LONGEST_REASON));
    }
    const child = { spec, status: "stopped" as const };
    if (result.kind === "started") noteRunning(child, ctx);
    if (result.kind === "started" || spec.restart !== "temporary") state.children.push(child);
  }
  return ok(state);
}

async function startSurely(spec: PlacedSpec, ctx: Context): Promise<StartResult> {
  for (let tries = 1; ; tries++) {
    const result = await startChild(spec, ctx);
    if (result.kind !== "unknown" || tries === MOST_TRIES) return result;
  }
}

function politely({ shutdown }: PlacedSpec): PlacedSpec["shutdown"] {
  return shutdown === "brutal-kill" ? 5_000 : shutdown;
}

/** What the model answers to one command, by its script: the right thing, unless it is told otherwise. */

import { setTimeout as sleep } from "node:timers/promises";
import { request, type Step, Text } from "./messages.ts";

export interface ModelState {
  entity: string;
  text: string;
  sequence: number;
}

export interface Stage {
  dialect: "lightbend" | "event-sourced" | "value";
  snapshotEvery: number;
  say(record: object): void;
  write(message: object): void;
  /** Bytes as they are. */
  writeRaw(bytes: Buffer): void;
  end(): void;
  /** Ends the stream with an error. */
  break(): void;
}

export const ANSWER_TYPE = "type.googleapis.com/model.Response";
const LARGE_BYTES = 50 * 1024 * 1024;

function any(text: string): object {
  return { type_url: ANSWER_TYPE, value: Text.write({ message: text }) };
}

interface Deeds {
  events: string[];
  value: { text: string | null } | undefined;
  failure: { description: string; restart: boolean } | undefined;
  forward: object | undefined;
  effects: object[];
  metadata: Record<string, string>;
}

export async function play(steps: readonly Step[], id: number, state: ModelState, stage: Stage): Promise<void> {
  const { dialect } = stage;
  const deeds: Deeds = {
    events: [],
    value: undefined,
    failure: undefined,
    forward: undefined,
    effects: [],
    metadata: {},
  };
  for (const step of steps) {
    if ("emit" in step) deeds.events.push(step.emit);
    if ("set" in step) deeds.value = { text: step.set };
    if ("fail" in step) deeds.failure = { description: step.fail, restart: step.restarts ?? false };
    if ("forward" in step) deeds.forward = toCommand(step.forward, step.service, []);
    if ("effect" in step) {
      const command = toCommand(step.effect, step.service, step.script ?? []);
      deeds.effects.push({ ...command, synchronous: step.isSync ?? false });
    }
    if ("again" in step) {
      const command = toCommand(state.entity, dialect === "event-sourced" ? "model.Model" : "model.Act", steps);
      if (step.again === "forward") deeds.forward = command;
      else deeds.effects.push(command);
    }
    if ("metadata" in step) deeds.metadata = step.metadata;
    if ("waitMs" in step) await sleep(step.waitMs);
    if ("misbehave" in step && !misbehave(step.misbehave, id, state, stage)) return;
  }
  stage.write(toAnswer(deeds, id, state, stage));
}

function toCommand(id: string, service = "model.Two", script: readonly Step[]): object {
  const commandName = service === "model.Two" ? "Call" : service === "model.Act" ? "Unary" : "Process";
  const value = request(id, ...script);
  return { serviceName: service, commandName, payload: { type_url: "type.googleapis.com/model.Request", value } };
}

function toAnswer(
  { events, value, failure, forward, effects, metadata }: Deeds,
  id: number,
  state: ModelState,
  stage: Stage,
) {
  const { dialect, snapshotEvery } = stage;
  if (failure && dialect === "lightbend") return { failure: { commandId: id, ...failure } };
  if (failure) return { reply: { commandId: id, clientAction: { failure } } };
  const before = state.sequence;
  state.sequence += events.length;
  state.text = value ? (value.text ?? "") : state.text + events.join("");
  const isCrossed = Math.floor(before / snapshotEvery) < Math.floor(state.sequence / snapshotEvery);
  const journaled = { events: events.map(any), ...(isCrossed && { snapshot: any(state.text) }) };
  if (dialect === "lightbend") return { reply: { commandId: id, payload: any(state.text), ...journaled } };
  const entries = Object.entries(metadata).map(([key, stringValue]) => ({ key, stringValue }));
  const clientAction = forward ? { forward } : { reply: { payload: any(state.text), metadata: { entries } } };
  const stateAction = value && (value.text === null ? { delete: {} } : { update: { value: any(value.text) } });
  const kept = dialect === "value" ? { stateAction } : journaled;
  return { reply: { commandId: id, clientAction, sideEffects: effects, ...kept } };
}

/** Says whether the right answer follows. */
function misbehave(misdeed: string, id: number, state: ModelState, stage: Stage): boolean {
  const { dialect, write } = stage;
  const payload = any(state.text);
  const answer = dialect === "lightbend" ? { payload } : { clientAction: { reply: { payload } } };
  switch (misdeed) {
    case "wrong-id":
      write({ reply: { commandId: id + 7, ...answer } });
      return false;
    case "twice":
      write({ reply: { commandId: id, ...answer } });
      return true;
    case "never":
      return false;
    case "garbage":
      stage.writeRaw(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3]));
      return false;
    case "large":
      write({ reply: { commandId: id, ...answer, events: [any("x".repeat(LARGE_BYTES))] } });
      return false;
    case "no-payload":
      write({ reply: { commandId: id } });
      return false;
    case "nothing":
      write({});
      return false;
    case "end":
      stage.end();
      return false;
    case "break":
      stage.break();
      return false;
    case "failure-0":
      write({ failure: { commandId: 0, description: "nobody's fault" } });
      return false;
    case "failure":
      write({ failure: { commandId: id, description: "a failure of its own" } });
      return false;
    case "failure-restart":
      write({ failure: { commandId: id, description: "start me again", restart: true } });
      return false;
    case "lone-snapshot":
      write({ reply: { commandId: id, ...answer, snapshot: payload } });
      return false;
    case "empty-snapshot":
      state.sequence += 1;
      state.text = "";
      write({
        reply: { commandId: id, ...answer, events: [any("")], snapshot: { ...payload, value: Buffer.alloc(0) } },
      });
      return false;
    case "untyped-event":
      write({ reply: { commandId: id, ...answer, events: [{ type_url: "", value: Buffer.alloc(0) }] } });
      return false;
    default:
      process.exit(3);
  }
}

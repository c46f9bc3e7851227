/** The gate of gate.test-support.proto as an entity, and the words of its tests. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { EventSourcedContext } from "./awake-entity.ts";
import { Entity } from "./entity.ts";
import { anyOf, type Message, type RawStream, readAny } from "./raw-backend.test-support.ts";

export const PROTO = fileURLToPath(new URL("gate.test-support.proto", import.meta.url));
export const SERVICE = "test.gate.Gate";

interface State {
  isOpen: boolean;
  said: string[];
}

type Request = { text: string; times: number };
type Deed = (context: EventSourcedContext, state: State) => object | Promise<object>;

/** What the command Try does, by name: each test adds its own. */
export const deeds = new Map<string, Deed>();
export const gate = new Entity<State>(PROTO, SERVICE, { persistenceId: "gate", snapshotEvery: 3 });
export const Said = gate.lookupType("test.gate.Said");
export const Opened = gate.lookupType("test.gate.Opened");
export const StateType = gate.lookupType("test.gate.State");
const makeState = (state: Partial<State>) => StateType.create(state) as object as State;

gate
  .setInitial((id) => makeState({ said: [id] }))
  .setBehavior((state) => ({
    commandHandlers: {
      Say: ({ text, times }: Request, _state, context) => {
        for (let said = 0; said < times; said++) context.emit(Said.create({ text }));
        return { text };
      },
      Read: (_: Request, { said }) => ({ text: said.join("") }),
      Try: ({ text }: Request, current, context) => deeds.get(text)?.(context, current) ?? {},
      ...(state.isOpen ? {} : { Open: open }),
    },
    eventHandlers: {
      [state.isOpen ? "test.gate.Said" : "Said"]: ({ text }: Request, { isOpen, said }) =>
        makeState({ isOpen, said: [...said, state.isOpen ? text.toUpperCase() : text] }),
      ...(state.isOpen ? {} : { Opened: (_: object, { said }: State) => makeState({ isOpen: true, said }) }),
    },
  }));

function open(_: Request, _state: State, context: EventSourcedContext): object {
  context.emit(Opened.create());
  context.emit(Said.create({ text: "open" }));
  return {};
}

export function command(id: number, name: string, fields: Message = {}): Message {
  const payload = anyOf(gate.lookupType("test.gate.Request"), { gateId: "g", ...fields });
  return { command: { entityId: "g", id, name, payload } };
}

export function event(sequence: number, payload: Message): Message {
  return { event: { sequence, payload } };
}

export function ask(stream: RawStream, message: Message): Promise<Message | undefined> {
  return stream.send(message).next();
}

export function replyOf(answer: Message | undefined): Message {
  return (answer?.["reply"] as Message | undefined) ?? assert.fail(`a reply, not ${JSON.stringify(answer)}`);
}

/** A failure on its own, or in the later protocol inside a reply. */
export function failureOf(answer: Message | undefined): { commandId: number; description: string } {
  const action = (answer?.["reply"] as Message | undefined)?.["clientAction"] as Message | undefined;
  const failure = (answer?.["failure"] ?? action?.["failure"]) as
    | { commandId: number; description: string }
    | undefined;
  assert.ok(failure, `a failure, not ${JSON.stringify(answer)}`);
  const { commandId, description } = failure;
  return { commandId, description };
}

export function textOf(answer: Message | undefined): unknown {
  const reply = replyOf(answer);
  const action = reply["clientAction"] as { reply?: { payload: object } } | undefined;
  return readAny(gate.root, reply["payload"] ?? action?.reply?.payload)["text"];
}

export function eventsOf(answer: Message | undefined): unknown[] {
  return replyOf(answer)["events"] as unknown[];
}

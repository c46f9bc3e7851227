/** What the model's services take and answer, and the descriptor that says so. */

import protobuf from "protobufjs";
import { encodeFile, encodeSet, type FieldGiven, type FileGiven } from "./descriptor.ts";

/** What the model is to do with a command; what it does not say is done as it should be. */
export type Step =
  | { emit: string }
  | { set: string | null }
  | { forward: string; service?: string }
  | { effect: string; service?: string; script?: Step[]; isSync?: boolean }
  | { fail: string; restarts?: boolean }
  /** The same command again, to itself. */
  | { again: "forward" | "effect" }
  | { metadata: Record<string, string> }
  | { waitMs: number }
  | { misbehave: Misdeed };

export type Misdeed =
  | "wrong-id"
  | "twice"
  | "never"
  | "garbage"
  | "large"
  | "no-payload"
  | "nothing"
  | "end"
  | "break"
  | "failure-0"
  | "failure"
  | "failure-restart"
  | "lone-snapshot"
  | "empty-snapshot"
  | "untyped-event"
  | "exit";

interface RequestMessage {
  id: string;
  script: string;
}

const root = protobuf.Root.fromJSON({
  nested: {
    Request: { fields: { id: { type: "string", id: 1 }, script: { type: "string", id: 2 } } },
    Text: { fields: { message: { type: "string", id: 1 } } },
  },
});

function codec<T extends object>(name: string) {
  const type = root.lookupType(name);
  return {
    write: (message: T) => Buffer.from(type.encode(type.create(message)).finish()),
    read: (bytes: Uint8Array) => type.decode(bytes) as unknown as T,
  };
}

export const Request = codec<RequestMessage>("Request");
/** Responses, events, snapshots and values. */
export const Text = codec<{ message: string }>("Text");

export function request(id: string, ...script: Step[]): Buffer {
  return Request.write({ id, script: JSON.stringify(script) });
}

const FIELDS: FieldGiven[] = [{ name: "id", key: 1080 }, { name: "script" }];

export function modelFile(changes: Partial<FileGiven> = {}): Buffer {
  return encodeFile({
    package: "model",
    messages: { Request: FIELDS, Response: [{ name: "message" }] },
    services: {
      Model: [
        {
          name: "Process",
          http: { post: "/model/{id}/process", body: "*", additionalBindings: [{ get: "/model/{id}" }] },
        },
      ],
      Two: [{ name: "Call" }],
      Value: [{ name: "Process" }],
      Act: [{ name: "Unary" }, { name: "Streamed", streamsOut: true }],
    },
    ...changes,
  });
}

export function modelSet(changes: Partial<FileGiven> = {}): Buffer {
  return encodeSet([modelFile(changes)]);
}

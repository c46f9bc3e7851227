/**
 * A user function that does as it is told: each request carries a script. It speaks both protocols straight, without our
 * library, and prints what it hears as JSON lines. An entity's state is the text of its events.
 *
 * Settings: `PORT`; `PROTOCOL`, cloudstate or lightbend; `SPEC`, JSON that replaces fields of its answer to discovery, `proto`
 * as base64, or `protoBytes` zeros for it; `SNAPSHOT_EVERY`, 5; `PASSIVATION_MS`, none.
 * `LIVES`, JSON, is a list of settings that replace those for a while: a SIGHUP ends every connection and begins the next.
 */

import { type AnyValue, codecOf } from "@genserverless/gateway/user-function/wire.ts";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { modelFile, modelSet, Request, type Step, Text } from "./messages.ts";
import { ANSWER_TYPE, type ModelState, play, type Stage } from "./play.ts";

interface StreamIn {
  init?: {
    entityId: string;
    snapshot?: { snapshotSequence: unknown; snapshot: AnyValue };
    state?: { value: AnyValue };
  };
  event?: { sequence: unknown; payload: AnyValue };
  command?: { id: unknown; name: string; entityId: string; payload: AnyValue };
}

const MOST_SHOWN_BYTES = 200;
const lives = JSON.parse(process.env["LIVES"] ?? "[{}]") as Record<string, string>[];
const asTheyAre = (bytes: Buffer) => bytes;
let env = process.env;
let server: Server;
let streams = 0;

function say(record: object): void {
  process.stdout.write(`${JSON.stringify(record)}\n`);
}

function serveUnary(path: string, handle: (request: Buffer) => Buffer | Promise<Buffer>): void {
  const answer = async ({ request }: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
    callback(null, await handle(request));
  server.register(path, answer, asTheyAre, asTheyAre, "unary");
}

/** What the test wants to be different. */
function withChanges(given: object): object {
  const { proto, protoBytes, ...changes } = JSON.parse(env["SPEC"] ?? "{}") as { proto?: string; protoBytes?: number };
  return {
    ...given,
    ...changes,
    ...(proto !== undefined && { proto: Buffer.from(proto, "base64") }),
    ...(protoBytes !== undefined && { proto: Buffer.alloc(protoBytes) }),
  };
}

function describeEntity(entityType: string, serviceName: string, persistenceId: string): object {
  const timeout = Number(env["PASSIVATION_MS"] ?? 0);
  return {
    entityType,
    serviceName,
    persistenceId,
    ...(timeout > 0 && { passivationStrategy: { timeout: { timeout } } }),
  };
}

function serveLater(): void {
  const spec = {
    proto: modelSet(),
    serviceInfo: { protocolMajor: 0, protocolMinor: 2 },
    entities: [
      describeEntity("cloudstate.eventsourced.EventSourced", "model.Model", "model"),
      describeEntity("cloudstate.eventsourced.EventSourced", "model.Two", "two"),
      describeEntity("cloudstate.valueentity.ValueEntity", "model.Value", "value"),
      describeEntity("cloudstate.action.ActionProtocol", "model.Act", ""),
    ],
  };
  serveUnary("/cloudstate.EntityDiscovery/discover", () => {
    say({ msg: "discover" });
    return codecOf<object>("cloudstate.EntitySpec").write(withChanges(spec));
  });
  serveUnary("/cloudstate.EntityDiscovery/reportError", (request) => {
    say({ msg: "reported", ...codecOf<{ message: string }>("cloudstate.UserFunctionError").read(request) });
    return Buffer.alloc(0);
  });
  serveUnary("/cloudstate.action.ActionProtocol/handleUnary", act);
  serveEntities(
    "/cloudstate.eventsourced.EventSourced/handle",
    "cloudstate.eventsourced.EventSourcedStream",
    "event-sourced",
  );
  serveEntities("/cloudstate.valueentity.ValueEntity/handle", "cloudstate.valueentity.ValueEntityStream", "value");
}

function serveFirst(): void {
  const spec = { proto: modelFile(), serviceName: "model.Model", persistenceId: "model" };
  serveUnary("/lightbend.serverless.Entity/ready", () => {
    say({ msg: "ready" });
    return codecOf<object>("lightbend.serverless.EntitySpec").write(withChanges(spec));
  });
  serveEntities("/lightbend.serverless.Entity/handle", "lightbend.serverless.EntityStream", "lightbend");
}

/** An action answers the id it was asked for, or does what an entity would do that has no state. */
async function act(bytes: Buffer): Promise<Buffer> {
  const { name, payload } = codecOf<{ name: string; payload: AnyValue }>("cloudstate.action.ActionCommand").read(bytes);
  const { id, script } = Request.read(payload.value);
  say({ msg: "action", name, id });
  const answered = Promise.withResolvers<{ clientAction?: object; sideEffects?: object[] }>();
  const write = (message: object) => answered.resolve((message as { reply: object }).reply);
  const stage = { dialect: "value", snapshotEvery: 1, say, write, writeRaw() {}, end() {}, break() {} } as const;
  await play(JSON.parse(script || "[]") as Step[], 1, { entity: id, text: id, sequence: 0 }, stage);
  const { clientAction, sideEffects = [] } = await answered.promise;
  return codecOf<object>("cloudstate.action.ActionResponse").write({ ...clientAction, sideEffects });
}

/** One entity each, as long as its stream lasts. */
function serveEntities(path: string, messages: string, dialect: Stage["dialect"]): void {
  const input = codecOf<StreamIn>(`${messages}In`);
  const output = codecOf<object>(`${messages}Out`);
  const handle = (call: ServerDuplexStream<Buffer, Buffer>) => {
    const stream = ++streams;
    const state: ModelState = { entity: "", text: "", sequence: 0 };
    const stage: Stage = {
      dialect,
      snapshotEvery: Number(env["SNAPSHOT_EVERY"] ?? 5),
      say,
      write: (message) => void call.write(output.write(message)),
      writeRaw: (bytes) => void call.write(bytes),
      end: () => call.end(),
      break: () => void call.emit("error", { code: status.INTERNAL, details: "broken on purpose" }),
    };
    let handled = Promise.resolve();
    call.on("data", (bytes: Buffer) => {
      handled = handled
        .then(() => hear(input.read(bytes), stream, state, stage))
        .catch((error: unknown) => say({ msg: "broken", error: String(error) }));
    });
    call.on("end", () => {
      say({ msg: "end", stream, entity: state.entity });
      call.end();
    });
    call.on("cancelled", () => say({ msg: "cancelled", stream, entity: state.entity }));
    call.on("error", () => {});
  };
  server.register(path, handle, asTheyAre, asTheyAre, "bidi");
}

async function hear(
  { init, event, command }: StreamIn,
  stream: number,
  state: ModelState,
  stage: Stage,
): Promise<void> {
  if (init) {
    const kept = init.snapshot?.snapshot ?? init.state?.value;
    state.entity = init.entityId;
    state.sequence = Number(init.snapshot?.snapshotSequence ?? 0);
    state.text = kept ? Text.read(kept.value).message : "";
    const { sequence, text } = state;
    // Whether the field was written at all: a library may need it.
    const hasValue = kept ? Object.hasOwn(kept, "value") : undefined;
    say({ msg: "init", stream, entity: init.entityId, sequence, text, hasValue });
  } else if (event) {
    state.sequence = Number(event.sequence);
    state.text += Text.read(event.payload.value).message;
    say({ msg: "event", stream, sequence: state.sequence, isTyped: event.payload.type_url === ANSWER_TYPE });
  } else if (command) {
    const { id, name, entityId, payload } = command;
    const hex = Buffer.from(payload.value.subarray(0, MOST_SHOWN_BYTES)).toString("hex");
    say({ msg: "command", stream, id: Number(id), name, entity: entityId, type: payload.type_url, payload: hex });
    const steps = JSON.parse(Request.read(payload.value).script || "[]") as Step[];
    await play(steps, Number(id), state, stage);
    say({ msg: "handled", stream, id: Number(id), text: state.text });
  }
}

function live(): void {
  env = { ...process.env, ...lives.shift() };
  server = new Server({ "grpc.max_send_message_length": -1 });
  if (env["PROTOCOL"] === "lightbend") serveFirst();
  else serveLater();
  server.bindAsync(`127.0.0.1:${env["PORT"] ?? 0}`, ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    say({ msg: "listening", port });
  });
}

live();
process.on("SIGHUP", () => {
  server.forceShutdown();
  live();
});
process.on("SIGTERM", () => {
  server.forceShutdown();
  process.exit(0);
});

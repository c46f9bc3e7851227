/** A backend of few words for tests: it speaks both protocols by their .proto files alone, over real gRPC. */

import { Client, type ClientDuplexStream, type ClientOptions, credentials } from "@grpc/grpc-js";
import type protobuf from "protobufjs";
import { joinProtoFiles, ownProto, readProtoFiles } from "./descriptor/proto-files.ts";

export type Message = Record<string, unknown>;

const PROTOCOLS = [
  "lightbend/serverless/entity.proto",
  "cloudstate/entity.proto",
  "cloudstate/entity_key.proto",
  "cloudstate/event_sourced.proto",
  "cloudstate/value_entity.proto",
  "cloudstate/action.proto",
  "google/api/annotations.proto",
];
const root = joinProtoFiles(readProtoFiles(PROTOCOLS.map(ownProto)), { keepCase: false });
const PLAIN = { longs: Number, defaults: true, oneofs: true, arrays: true };

export const FIRST = "lightbend.serverless.Entity";
export const LATER = "cloudstate.eventsourced.EventSourced";
export const VALUE = "cloudstate.valueentity.ValueEntity";

export class RawBackend implements Disposable {
  readonly #client: Client;

  constructor(port: number, options: ClientOptions = {}) {
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  /** Rejects with the status. */
  ask(service: string, method: string, request: Message = {}): Promise<Message> {
    const { path, encode, decode } = wireOf(service, method);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, encode, decode, request, (error, answer) => {
        if (error) reject(error);
        else resolve(answer as Message);
      });
    });
  }

  open(service: string): RawStream {
    const { path, encode, decode } = wireOf(service, "handle");
    return new RawStream(this.#client.makeBidiStreamRequest(path, encode, decode));
  }
}

export class RawStream {
  readonly #call: ClientDuplexStream<Message, Message>;
  readonly #answers: AsyncIterator<Message>;

  constructor(call: ClientDuplexStream<Message, Message>) {
    this.#call = call;
    this.#answers = call[Symbol.asyncIterator]();
  }

  send(...messages: Message[]): this {
    for (const message of messages) this.#call.write(message);
    return this;
  }

  /** No more is sent. */
  end(): this {
    this.#call.end();
    return this;
  }

  cancel(): void {
    this.#call.cancel();
  }

  /** The next answer; undefined when the other side has ended the stream. */
  async next(): Promise<Message | undefined> {
    const { done, value } = await this.#answers.next();
    return done ? undefined : value;
  }

  /** All answers up to the end that the other side makes. */
  async rest(): Promise<Message[]> {
    const answers: Message[] = [];
    for (let answer = await this.next(); answer; answer = await this.next()) answers.push(answer);
    return answers;
  }
}

function wireOf(service: string, name: string) {
  const method = root.lookupService(service).methods[name];
  method?.resolve();
  const { resolvedRequestType: request, resolvedResponseType: response } = method ?? {};
  if (!request || !response) throw new Error(`There is no ${service}/${name}`);
  return {
    path: `/${service}/${name}`,
    encode: (message: Message) => Buffer.from(request.encode(request.create(message)).finish()),
    decode: (bytes: Buffer) => response.toObject(response.decode(bytes), PLAIN) as Message,
  };
}

/** A payload of this type. */
export function anyOf(type: protobuf.Type, fields: Message = {}): Message {
  const value = type.encode(type.fromObject(fields)).finish();
  return { type_url: `type.googleapis.com/${type.fullName.slice(1)}`, value };
}

/** What such a payload says, with the last part of its type's name. */
export function readAny(types: protobuf.Root, any: unknown): Message {
  const { type_url, value } = any as { type_url: string; value: Uint8Array };
  const type = types.lookupType(type_url.slice(type_url.lastIndexOf("/") + 1));
  return { type: type.name, ...type.toObject(type.decode(new Uint8Array(value)), { arrays: true, longs: Number }) };
}

/** A serialized google.protobuf.FileDescriptorSet as plain data. */
export function readDescriptorSet(bytes: Uint8Array): { file: Message[] } {
  const type = root.lookupType("google.protobuf.FileDescriptorSet");
  return type.toObject(type.decode(bytes), { longs: Number }) as { file: Message[] };
}

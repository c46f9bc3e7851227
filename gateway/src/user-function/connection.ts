/**
 * The way to the user function: gRPC over HTTP/2 without TLS. Entities share channels, of which there are as many as it
 * takes: a server may limit the streams of one, and streams of one channel share its window, so that one that is not read
 * can hold the others up.
 */

import {
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  connectivityState,
  credentials,
  status,
} from "@grpc/grpc-js";
import type { Codec } from "./wire.ts";

/** What is left of the 8 MiB that a turn may keep or answer, once bytes are base64. */
const MOST_MESSAGE_BYTES = 6 * 1024 * 1024;
const STREAMS_PER_CHANNEL = 100;

const OPTIONS: ClientOptions = {
  "grpc.max_receive_message_length": MOST_MESSAGE_BYTES,
  "grpc.max_send_message_length": -1,
  "grpc.client_idle_timeout_ms": 2 ** 31 - 1,
  // Nobody asks for its figures.
  "grpc.enable_channelz": 0,
  // A user function that was started again is found soon.
  "grpc.initial_reconnect_backoff_ms": 250,
  "grpc.max_reconnect_backoff_ms": 2_000,
  // A channel is a connection of its own.
  "grpc.use_local_subchannel_pool": 1,
};

interface Channel {
  client: Client;
  streams: number;
}

export type DuplexStream<In, Out> = ClientDuplexStream<In, Out>;

/** A method of the user function. */
export interface RemoteMethod<In, Out> {
  path: string;
  request: Codec<In>;
  response: Codec<Out>;
}

/** The bytes of an answer are no message of its type. */
export class UnreadableAnswer extends Error {
  override name = "UnreadableAnswer";
}

const asTheyAre = (bytes: Buffer) => bytes;

export class Connection {
  readonly #address: string;
  #first: Client;
  #channels: Channel[] = [];
  #isClosed = false;
  #lost: Promise<void> | undefined;

  constructor(address: string) {
    this.#address = address;
    this.#first = this.#connect();
  }

  /** Rejects with a gRPC ServiceError, or UnreadableAnswer. */
  ask<In, Out>({ path, request, response }: RemoteMethod<In, Out>, question: In, withinMs: number): Promise<Out> {
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + withinMs;
      this.#first.makeUnaryRequest(path, request.write, asTheyAre, question, { deadline }, (error, bytes) => {
        try {
          if (error) reject(error);
          else resolve(response.read(bytes as Buffer));
        } catch (unreadable) {
          reject(new UnreadableAnswer((unreadable as Error).message));
        }
      });
    });
  }

  /** Opens a stream; it counts for its channel until it has ended. */
  open<In, Out>({ path, request, response }: RemoteMethod<In, Out>): DuplexStream<In, Out> {
    const channel = this.#findChannel();
    channel.streams += 1;
    const stream = channel.client.makeBidiStreamRequest(path, request.write, response.read);
    // It comes in every case, once.
    stream.once("status", () => {
      channel.streams -= 1;
      if (channel.streams === 0) this.#retire(channel);
    });
    return stream;
  }

  /** The user function was away: streams are opened on new channels, for an old one may still wait before it connects. */
  renew(): void {
    for (const { client, streams } of this.#channels) if (streams === 0) client.close();
    this.#channels = [];
  }

  /** Nothing comes over the connections any more, though none has ended: new ones are made. */
  reset(): void {
    if (this.#isClosed) return;
    const before = this.#first;
    this.#first = this.#connect();
    this.renew();
    before.close();
  }

  /** Resolves when there is no connection for unary questions, now or later. */
  untilLost(): Promise<void> {
    this.#lost ??= this.#watch().finally(() => {
      this.#lost = undefined;
    });
    return this.#lost;
  }

  async #watch(): Promise<void> {
    const channel = this.#first.getChannel();
    if (this.#isClosed || channel.getConnectivityState(false) !== connectivityState.READY) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    channel.watchConnectivityState(connectivityState.READY, Infinity, () => resolve());
    await promise;
  }

  close(): void {
    this.#isClosed = true;
    for (const { client } of this.#channels) client.close();
    this.#channels = [];
    this.#first.close();
  }

  #findChannel(): Channel {
    const free = this.#channels.find(({ streams }) => streams < STREAMS_PER_CHANNEL);
    if (free) return free;
    const channel = { client: this.#connect(), streams: 0 };
    this.#channels.push(channel);
    return channel;
  }

  /** Closes a channel that has no streams, unless it is the last one that takes new ones. */
  #retire(channel: Channel): void {
    const others = this.#channels.filter((other) => other !== channel);
    if (others.length === 0 && this.#channels.length > 0) return;
    this.#channels = others;
    channel.client.close();
  }

  #connect(): Client {
    return new Client(this.#address, credentials.createInsecure(), OPTIONS);
  }
}

export function isUnimplemented(error: unknown): boolean {
  return (error as { code?: number }).code === status.UNIMPLEMENTED;
}

/** The answer, or the question, is larger than is taken. */
export function isTooLarge(error: unknown): boolean {
  return (error as { code?: number }).code === status.RESOURCE_EXHAUSTED;
}

/** It was not answered in time. */
export function isLate(error: unknown): boolean {
  return (error as { code?: number }).code === status.DEADLINE_EXCEEDED;
}

/**
 * One direction of a connection: bytes leave in the order in which they came, each no earlier than its time, none while
 * the lane is frozen, and none before one that is held. A close has its place among the bytes, as on a real network: what
 * a dead client had sent still arrives.
 */

import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

interface Parcel {
  leave: () => void;
  notBefore: number;
  held: Promise<void> | undefined;
}

export class Lane {
  readonly #socket: Socket;
  readonly #parcels: Parcel[] = [];
  #isMoving = false;
  #thaw: PromiseWithResolvers<void> | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  send(bytes: Buffer, delayMs: number, held?: Promise<void>): void {
    this.do(() => this.#socket.writable && this.#socket.write(bytes), delayMs, held);
  }

  /** An act that has its place among the bytes. */
  do(leave: () => void, delayMs: number, held?: Promise<void>): void {
    this.#parcels.push({ leave, notBefore: performance.now() + delayMs, held });
    if (!this.#isMoving) void this.#move();
  }

  freeze(isFrozen: boolean): void {
    if (isFrozen) this.#thaw ??= Promise.withResolvers();
    else {
      this.#thaw?.resolve();
      this.#thaw = undefined;
    }
  }

  async #move(): Promise<void> {
    this.#isMoving = true;
    for (let parcel = this.#parcels.shift(); parcel; parcel = this.#parcels.shift()) {
      if (parcel.held) await parcel.held;
      const waitMs = parcel.notBefore - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      while (this.#thaw) await this.#thaw.promise;
      parcel.leave();
    }
    this.#isMoving = false;
  }
}

/**
 * One client's connection and the connection to Redis that stands for it. Commands and answers pass as whole frames, so
 * that a fault strikes exactly one command or exactly one answer. When either side closes, so does the other, after what
 * was sent before.
 */

import { connect, type Socket } from "node:net";
import { AnswerMatcher } from "./answer-matcher.ts";
import type { Fault } from "./fault.ts";
import { Lane } from "./lane.ts";
import { Command, FrameCutter } from "./resp.ts";

export interface Conditions {
  delayMs(clientName: string): number;
  isHalfOpen(clientName: string): boolean;
  /** The fault that strikes this command, if one does. */
  findFault(command: Command, clientName: string): Fault | undefined;
}

const NOT_RUN = "-NOSCRIPT";

export class ProxiedConnection {
  /** What the client called itself; empty until it has. */
  clientName = "";
  readonly #client: Socket;
  readonly #redis: Socket;
  readonly #conditions: Conditions;
  readonly #matcher = new AnswerMatcher();
  readonly #answerFaults = new Map<Command, Fault>();
  readonly #toRedis: Lane;
  readonly #toClient: Lane;
  #isCut = false;

  constructor(client: Socket, redis: { host: string; port: number }, conditions: Conditions, closed: () => void) {
    this.#client = client;
    this.#redis = connect({ ...redis, noDelay: true });
    this.#conditions = conditions;
    this.#toRedis = new Lane(this.#redis);
    this.#toClient = new Lane(this.#client);
    this.refreshHalfOpen();
    const commands = new FrameCutter();
    const answers = new FrameCutter();
    client.setNoDelay(true);
    client.on("data", (chunk) => commands.push(chunk).forEach(this.#forwardCommand));
    this.#redis.on("data", (chunk) => answers.push(chunk).forEach(this.#forwardAnswer));
    this.#whenClosed(client, this.#toRedis, this.#redis, closed);
    this.#whenClosed(this.#redis, this.#toClient, client, closed);
  }

  /** The other side closes in its turn; the last one to close ends the connection. */
  #whenClosed(socket: Socket, lane: Lane, other: Socket, closed: () => void): void {
    socket.on("error", () => {});
    socket.on("close", () => {
      lane.do(() => other.destroySoon(), this.#delayMs);
      if (other.closed) closed();
    });
  }

  /** Closes both sides now; what was on its way is lost. */
  cut(): void {
    this.#isCut = true;
    this.#client.destroy();
    this.#redis.destroy();
  }

  refreshHalfOpen(): void {
    const isHalfOpen = this.#conditions.isHalfOpen(this.clientName);
    this.#toRedis.freeze(isHalfOpen);
    this.#toClient.freeze(isHalfOpen);
  }

  get isOpen(): boolean {
    return !this.#client.destroyed;
  }

  get #delayMs(): number {
    return this.#conditions.delayMs(this.clientName);
  }

  #forwardCommand = (bytes: Buffer): void => {
    if (this.#isCut) return;
    const command = new Command(bytes);
    this.#learnName(command);
    const fault = this.#conditions.findFault(command, this.clientName);
    const strikesAnswer = fault?.kind === "lose-answer" || fault?.kind === "hold-answer";
    if (fault && strikesAnswer) this.#answerFaults.set(command, fault);
    const struck = fault && !strikesAnswer && fault.take() ? fault : undefined;
    if (struck?.kind === "cut-mid-request") {
      this.#cutAfterHalf(command, struck);
      return;
    }
    this.#matcher.sent(command);
    this.#toRedis.send(bytes, this.#delayMs, struck?.released);
    struck?.hit();
  };

  #forwardAnswer = (bytes: Buffer): void => {
    if (this.#isCut) return;
    const fault = this.#takeAnswerFault(bytes);
    if (fault?.kind === "lose-answer") this.#cutInstead(fault);
    else this.#toClient.send(bytes, this.#delayMs, fault?.released);
    if (fault?.kind === "hold-answer") fault.hit();
  };

  #takeAnswerFault(bytes: Buffer): Fault | undefined {
    const command = this.#matcher.answered(bytes);
    const fault = command && this.#answerFaults.get(command);
    if (!fault) return undefined;
    this.#answerFaults.delete(command);
    const hasRun = bytes.toString("latin1", 0, NOT_RUN.length) !== NOT_RUN;
    return hasRun && fault.take() ? fault : undefined;
  }

  /** Earlier answers still reach the client; this one and all later ones do not. */
  #cutInstead(fault: Fault): void {
    this.#isCut = true;
    this.#toClient.do(() => {
      this.#client.destroySoon();
      this.#redis.destroy();
      fault.hit();
    }, this.#delayMs);
  }

  #cutAfterHalf(command: Command, fault: Fault): void {
    this.#isCut = true;
    this.#toRedis.send(command.bytes.subarray(0, command.bytes.length / 2), this.#delayMs);
    this.#toRedis.do(() => {
      this.#redis.destroySoon();
      this.#client.destroy();
      fault.hit();
    }, this.#delayMs);
  }

  #learnName(command: Command): void {
    if (command.name !== "HELLO" && command.name !== "CLIENT") return;
    const { words } = command;
    const at = words.findIndex((word) => word.toUpperCase() === "SETNAME");
    if (at === -1) return;
    this.clientName = words[at + 1] ?? "";
    this.refreshHalfOpen();
  }
}

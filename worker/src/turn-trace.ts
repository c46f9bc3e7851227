/**
 * The spans of one process's turns, which come one after the other. Each follows from what sent its message, a continuation
 * from the turn that left it; what a timer sends follows from nothing.
 */

import type { Pid } from "@genserverless/shared/process/pid.ts";
import { NO_SPAN, NO_TRACER, type Span, type SpanEnd, type Tracer } from "@genserverless/shared/trace/tracer.ts";
import type { ReturningCallback } from "genserverless/runtime/interpret.ts";
import type { TurnResult } from "genserverless/runtime/turn.ts";
import type { Message } from "./message.ts";

/** What a span tells of a turn that begins. */
export interface TurnStart {
  module: string;
  callback: ReturningCallback | "terminate";
  attempt: number;
  /** Undefined for a continuation. */
  message: Message | undefined;
  /** How long the message had waited, where that is known. */
  waitMs: number | undefined;
}

export class TurnTrace {
  readonly #pid: Pid;
  readonly #tracer: Tracer;
  #span: Span = NO_SPAN;

  constructor(pid: Pid, tracer: Tracer) {
    this.#pid = pid;
    this.#tracer = tracer;
  }

  /** The trace context of the turn under way, or of the last one; undefined where nothing is traced. */
  get traceparent(): string | undefined {
    return this.#span.traceparent;
  }

  get isOn(): boolean {
    return this.#tracer !== NO_TRACER;
  }

  /** Only where it is on. */
  begin({ module, callback, attempt, message, waitMs }: TurnStart): void {
    this.#span = this.#tracer.startSpan({
      name: `${module}.${callback}`,
      kind: "consumer",
      parent: message ? message.traceparent : this.traceparent,
      attributes: {
        "messaging.system": "genserverless",
        "messaging.operation.type": "process",
        "messaging.operation.name": callback,
        "messaging.destination.name": this.#pid,
        "messaging.message.id": message?.id,
        "genserverless.pid": this.#pid,
        "genserverless.module": module,
        "genserverless.message.kind": message?.kind ?? "continue",
        "genserverless.attempt": attempt,
        "genserverless.wait_ms": waitMs,
      },
    });
  }

  /** The turn came to nothing, and is run again. */
  giveUp(): void {
    if (this.isOn) this.#span.end({ attributes: { "genserverless.outcome": "given-up" } });
  }

  end(result: TurnResult | { kind: "stops" }): void {
    if (this.isOn) this.#span.end(describeEnd(result));
  }
}

function describeEnd(result: TurnResult | { kind: "stops" }): SpanEnd {
  const attributes = { "genserverless.outcome": result.kind };
  if (result.kind !== "fails") return { attributes };
  const { code, detail } = result.failure;
  return { attributes, error: { type: code, message: detail } };
}

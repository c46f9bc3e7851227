/**
 * What a node's code says of a trace: this begins here and ends there, and that is what it follows from. A span is named to
 * other nodes by its trace context, the text of a `traceparent` header (W3C Trace Context, section 3.2).
 *
 * Where nothing is traced there is `NO_TRACER`, whose spans are one and the same, and name nothing.
 */

import type { Part } from "../service/lifecycle.ts";

export type Attributes = Record<string, string | number | undefined>;

export interface SpanStart {
  name: string;
  /** `server` answers a request, `consumer` handles a message. */
  kind: "server" | "consumer";
  /** The trace context of what it follows from. Where there is none, or it is none, the span begins a trace. */
  parent?: string | undefined;
  attributes: Attributes;
}

export interface SpanEnd {
  /** What it failed with: a short word for its kind, and perhaps a sentence. */
  error?: { type: string; message?: string };
  attributes?: Attributes;
}

export interface Span {
  /** The trace context of what follows from it; undefined where nothing is traced. */
  readonly traceparent: string | undefined;
  end(how?: SpanEnd): void;
}

/** Stopped, it has sent what it has, as far as that could be done in a short time. */
export interface Tracer extends Part {
  startSpan(start: SpanStart): Span;
}

export const NO_SPAN: Span = { traceparent: undefined, end() {} };

export const NO_TRACER: Tracer = {
  startSpan: () => NO_SPAN,
  start: async () => {},
  stop: async () => {},
};

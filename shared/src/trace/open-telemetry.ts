/**
 * Spans by OpenTelemetry, sent in batches to a collector over OTLP/HTTP. What cannot be sent is lost, after the exporter's own
 * few tries; the log is told once, and again once a batch has got through meanwhile.
 */

import { setTimeout as sleep } from "node:timers/promises";
import {
  type Context,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Logger } from "../service/log.ts";
import type { TraceSettings } from "./settings.ts";
import type { Span, SpanStart, Tracer } from "./tracer.ts";

export interface Origin {
  /** `service.name` and `service.instance.id`, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say otherwise. */
  service: string;
  instance: string;
  log: Logger;
}

const FLUSH_MS = 2_000;
const MOST_IN_A_BATCH = 512;
const KINDS = { server: SpanKind.SERVER, consumer: SpanKind.CONSUMER };
/** Version 00 has nothing behind the flags; a later one may. */
const TRACEPARENT = /^(?:00(?=.{53}$)|(?!00|ff)[\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(?:-.*)?$/;

export class OpenTelemetry implements Tracer {
  readonly #provider: TracerProvider;
  readonly #tracer: OtelTracer;

  static async open(settings: TraceSettings, { service, instance, log }: Origin): Promise<OpenTelemetry> {
    const ours = resourceFromAttributes({ "service.name": service, "service.instance.id": instance });
    const { delayMs, mostWaiting } = settings;
    const exporter = tellOnce(await openExporter(settings.protocol), log);
    const provider = new TracerProvider({
      resource: ours.merge(detectResources({ detectors: [envDetector] })),
      sampler: createSampler(settings.sampler),
      spanProcessors: [
        new BatchSpanProcessor({
          exporter,
          scheduledDelayMillis: delayMs,
          maxQueueSize: mostWaiting,
          maxExportBatchSize: Math.min(MOST_IN_A_BATCH, mostWaiting),
        }),
      ],
    });
    return new OpenTelemetry(provider);
  }

  private constructor(provider: TracerProvider) {
    this.#provider = provider;
    this.#tracer = provider.getTracer("genserverless");
  }

  startSpan({ name, kind, parent, attributes }: SpanStart): Span {
    const span = this.#tracer.startSpan(name, { kind: KINDS[kind], attributes }, readParent(parent));
    const { traceId, spanId, traceFlags } = span.spanContext();
    return {
      traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`,
      end({ error, attributes: more = {} } = {}) {
        span.setAttributes(more);
        if (error) {
          const { type, message } = error;
          span.setAttribute("error.type", type);
          span.setStatus({ code: SpanStatusCode.ERROR, ...(message !== undefined && { message }) });
        }
        span.end();
      },
    };
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    const shutdown = this.#provider.shutdown().catch(() => {});
    await Promise.race([shutdown, sleep(FLUSH_MS)]);
  }
}

function readParent(traceparent: string | undefined): Context {
  const [, traceId, spanId, flags = ""] = TRACEPARENT.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  const traceFlags = Number.parseInt(flags, 16) & 1;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

async function openExporter(protocol: TraceSettings["protocol"]): Promise<SpanExporter> {
  const { OTLPTraceExporter } =
    protocol === "http/json"
      ? await import("@opentelemetry/exporter-trace-otlp-http")
      : await import("@opentelemetry/exporter-trace-otlp-proto");
  return new OTLPTraceExporter();
}

function createSampler({ isParentBased, root, ratio }: TraceSettings["sampler"]): Sampler {
  const sampler =
    root === "traceidratio"
      ? new TraceIdRatioBasedSampler(ratio)
      : root === "always_on"
        ? new AlwaysOnSampler()
        : new AlwaysOffSampler();
  return isParentBased ? new ParentBasedSampler({ root: sampler }) : sampler;
}

/** Tells the first batch of a row that is lost. */
function tellOnce(exporter: SpanExporter, log: Logger): SpanExporter {
  let isTold = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const { error } = result;
        if (error && !isTold) log.warn({ error: error.message, spans: spans.length }, "traces.lost");
        isTold = error !== undefined;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
  };
}

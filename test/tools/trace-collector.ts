/** A collector of traces: takes what OTLP/HTTP sends as JSON, and keeps every span with the service it came from. */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";

export interface CollectedSpan {
  service: string;
  instance: string;
  traceId: string;
  spanId: string;
  /** Empty where it begins a trace. */
  parentSpanId: string;
  name: string;
  /** 2 is a server's, 5 a consumer's (opentelemetry/proto/trace/v1/trace.proto). */
  kind: number;
  attributes: Record<string, unknown>;
  /** 2 is an error. */
  status: number;
}

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}

interface Batch {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: Sent[] }[];
  }[];
}

interface Sent {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  attributes: Attribute[];
  status: { code: number };
}

export class TraceCollector implements Part {
  readonly spans: CollectedSpan[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (req, res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk as Buffer);
      const isOurs = req.url === "/v1/traces" && req.headers["content-type"] === "application/json";
      if (isOurs) this.#keep(JSON.parse(Buffer.concat(chunks).toString()) as Batch);
      res.writeHead(isOurs ? 200 : 400, { "content-type": "application/json" }).end("{}");
    });
  }

  /** What an exporter is told. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #keep({ resourceSpans }: Batch): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const origin = readAttributes(resource.attributes);
      const [service, instance] = [String(origin["service.name"]), String(origin["service.instance.id"])];
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        const { traceId, spanId, parentSpanId = "", name, kind, status } = span;
        const attributes = readAttributes(span.attributes);
        this.spans.push({
          service,
          instance,
          traceId,
          spanId,
          parentSpanId,
          name,
          kind,
          attributes,
          status: status.code,
        });
      }
    }
  }
}

/** A value stands under the name of its type, e.g. `{"intValue": 3}`. */
function readAttributes(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

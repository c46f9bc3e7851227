/**
 * The spans of requests: each follows from the caller's, where that sent a `traceparent`, and all messages that it sends
 * follow from it. Health checks and the like are not traced.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage } from "node:http";
import { NO_SPAN, NO_TRACER, type Span, type Tracer } from "@genserverless/shared/trace/tracer.ts";

type Begin = (req: IncomingMessage) => Span;

const UNTRACED: Begin = () => NO_SPAN;

export class RequestTracing {
  readonly #tracer: Tracer;
  readonly #current = new AsyncLocalStorage<Span>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** The trace context of the request that the running code answers; undefined where it is not traced. */
  get traceparent(): string | undefined {
    return this.#tracer === NO_TRACER ? undefined : this.#current.getStore()?.traceparent;
  }

  /** Begins the spans of a route, e.g. `/v1/messages/:id`. */
  forRoute(route: string, needsCluster: boolean): Begin {
    if (this.#tracer === NO_TRACER || !needsCluster) return UNTRACED;
    return ({ method, url = "", headers }) => {
      const parent = headers["traceparent"];
      return this.#tracer.startSpan({
        name: `${method} ${route}`,
        kind: "server",
        parent: typeof parent === "string" ? parent : undefined,
        attributes: {
          "http.request.method": method,
          "http.route": route,
          "url.path": url.split("?", 1)[0],
          "url.scheme": "http",
        },
      });
    };
  }

  run<T>(span: Span, produce: () => T): T {
    return span === NO_SPAN ? produce() : this.#current.run(span, produce);
  }

  end(span: Span, status: number): void {
    if (span === NO_SPAN) return;
    const attributes = { "http.response.status_code": status };
    span.end(status < 500 ? { attributes } : { attributes, error: { type: String(status) } });
  }
}

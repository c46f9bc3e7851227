/** What operators and machines ask: who is in the cluster, is this node alive, may it be sent work, what does it count. */

import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import { ClusterError, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import type { ApiMetrics } from "../metrics.ts";
import { HttpProblem } from "../respond.ts";
import { defineRoute, type Route } from "./route.ts";
import { Cluster, Health, OpenApiDocument } from "./schemas.ts";

export interface Operations {
  snapshot: Snapshot;
  metrics: ApiMetrics;
  isOpen(): boolean;
  isDraining(): boolean;
  /** The OpenAPI document as JSON text. */
  describe(): string;
}

export function operationRoutes(operations: Operations): Route[] {
  return [
    healthRoute(operations),
    readyRoute(operations),
    clusterRoute(operations),
    metricsRoute(operations),
    openApiRoute(operations),
  ];
}

function healthRoute({ isDraining }: Operations): Route {
  return defineRoute({
    method: "get",
    path: "/health",
    name: "health",
    summary: "Is this node alive and staying?",
    isPublic: true,
    answers: { 200: { description: "Alive", schema: Health } },
    problems: ["draining"],
    handle() {
      if (isDraining()) throw new ClusterError("draining", "this node finishes what it has and leaves");
      return { status: 200, json: { status: "ok" } };
    },
  });
}

function readyRoute(operations: Operations): Route {
  return defineRoute({
    method: "get",
    path: "/ready",
    name: "ready",
    summary: "Can calls be answered: is Redis writable and is a worker there?",
    isPublic: true,
    answers: { 200: { description: "Ready", schema: Health } },
    problems: ["draining", "redis_unavailable", "storage_full", "no_workers"],
    async handle() {
      const reasons = await findReasons(operations);
      const [code] = reasons;
      if (code) throw new HttpProblem(code, `not ready: ${reasons.join(", ")}`, { members: { reasons } });
      return { status: 200, json: { status: "ok" } };
    },
  });
}

async function findReasons({ snapshot, isOpen, isDraining }: Operations): Promise<ErrorCode[]> {
  const reasons: ErrorCode[] = isDraining() ? ["draining"] : [];
  const faults: ErrorCode[] = isOpen() ? await snapshot.findFaults() : ["redis_unavailable"];
  return [...reasons, ...faults];
}

function clusterRoute({ snapshot }: Operations): Route {
  return defineRoute({
    method: "get",
    path: "/v1/cluster",
    name: "readCluster",
    summary: "Read the nodes, how many processes have which status, and how Redis is",
    answers: { 200: { description: "The cluster", schema: Cluster } },
    problems: ["invalid_request"],
    handle: async () => ({ status: 200, json: await snapshot.readCluster() }),
  });
}

function metricsRoute({ metrics: { registry } }: Operations): Route {
  return defineRoute({
    method: "get",
    path: "/metrics",
    name: "metrics",
    summary: "This node's metrics, for Prometheus",
    answers: { 200: { description: "Metrics", text: "text/plain" } },
    problems: [],
    handle: async () => ({ status: 200, text: { type: registry.contentType, body: await registry.metrics() } }),
  });
}

function openApiRoute({ describe }: Operations): Route {
  return defineRoute({
    method: "get",
    path: "/openapi.json",
    name: "openapi",
    summary: "This document",
    answers: { 200: { description: "The OpenAPI document", schema: OpenApiDocument } },
    problems: [],
    handle: () => ({ status: 200, text: { type: "application/json", body: describe() } }),
  });
}

import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { Redis } from "ioredis";
import type { HttpRequest } from "./load/http-connection.ts";

/** What is measured: the cluster, or the floor that it is held against. */
export interface System extends Part {
  readonly name: "ours" | "floor";
  /** `host` and `port` of its load balancer. */
  readonly address: { host: string; port: number };
  /** A client of its Redis, for questions about memory and connections. */
  readonly redis: Redis;
  /** The operating-system processes at the root of all that serves a call. */
  readonly rootPids: number[];
  /** The first touch of a counter: it begins at 1. */
  startRequest(key: string, options?: { idleAfterMs: number }): HttpRequest;
  addRequest(key: string): HttpRequest;
  readTotals(keys: readonly string[]): Promise<number[]>;
  /** Resolves when no counter is in the memory of any node. */
  untilAllPassivated(keys: readonly string[]): Promise<void>;
}

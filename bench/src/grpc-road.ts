/** W9: adds to carts of a user function over gRPC, held against adds to carts of the entity over HTTP, on one cluster. */

import { join } from "node:path";
import { findFreePort } from "@genserverless/local/ports.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import protobuf from "protobufjs";
import { type Child, nodeChild } from "../../test/tools/child.ts";
import { until } from "../../test/tools/until.ts";
import { WrongCounters } from "./counter-check.ts";
import { GrpcConnection, type GrpcRequest, unaryRequest } from "./load/grpc-connection.ts";
import { type Address, runLoad } from "./load/load.ts";
import { type Measurement, measureLoad } from "./measurement.ts";
import { OurCluster } from "./our-cluster.ts";
import { namePids } from "./process-states.ts";
import { alignTable, formatErrors } from "./table.ts";

export interface GrpcResult {
  grpc: Measurement;
  entity: Measurement;
  /** gRPC divided by HTTP. */
  ratio: { rps: number; p50Ms: number; cpuMsPerCall: number };
}

const ROOT = join(import.meta.dirname, "../..");
const ADD_ITEM = "/com.example.shoppingcart.ShoppingCart/AddItem";
const CARTS = 1_000;
const CONNECTIONS = 64;
/** As many as the HTTP road has nodes of Node: an api and a worker. A gateway is both. */
const GATEWAYS = 2;
const WARM_UP_SECONDS = 2;
const READY = { withinMs: 60_000, everyMs: 250, what: "the gateway serves carts" };
const PRODUCT = { productId: "1337", name: "h4x0r", quantity: 1 };

export class GrpcRoad implements Part {
  #cluster: OurCluster | undefined;
  #userFunction: Child | undefined;
  #port = 0;

  async start(): Promise<void> {
    const port = String(await findFreePort());
    this.#port = await findFreePort();
    this.#userFunction = nodeChild({
      name: "shopping-cart",
      script: join(ROOT, "samples/shopping-cart/index.ts"),
      cwd: ROOT,
      env: { PORT: port, NODE_ENV: "production" },
    });
    await this.#userFunction.start();
    this.#cluster = new OurCluster(undefined, {
      GATEWAY_REPLICAS: String(GATEWAYS),
      GATEWAY_PORT: String(this.#port),
      USER_FUNCTION: `127.0.0.1:${port}`,
    });
    await this.#cluster.start();
    // The port is bound once the user function was discovered.
    await until(() => this.#isServed(), READY);
  }

  async stop(): Promise<void> {
    await this.#cluster?.stop();
    await this.#userFunction?.stop();
  }

  async measure(way: "grpc" | "entity", plan: { round: number; seconds: number }): Promise<Measurement> {
    return way === "grpc" ? await this.#measureGrpc(plan) : await this.#measureEntity(plan);
  }

  async #measureEntity({ round, seconds }: { round: number; seconds: number }): Promise<Measurement> {
    const cluster = this.#cluster as OurCluster;
    const requests = namePids("cart", `W9-${round}-`, CARTS).map((pid) =>
      cluster.callRequest(pid, { addItem: PRODUCT }),
    );
    await runLoad({ address: cluster.address, connections: CONNECTIONS, requests, seconds: WARM_UP_SECONDS });
    return (await measureLoad(cluster, { connections: CONNECTIONS, requests, seconds })).measurement;
  }

  async #measureGrpc({ round, seconds }: { round: number; seconds: number }): Promise<Measurement> {
    const cluster = this.#cluster as OurCluster;
    const requests = Array.from({ length: CARTS }, (_, index) => addRequest(`W9-${round}-${index}`));
    const load = { connections: CONNECTIONS, requests, connect: connectGrpc };
    const rootPids = [...cluster.rootPids, (this.#userFunction as Child).pid];
    await runLoad<GrpcRequest>({ ...load, address: this.#address, seconds: WARM_UP_SECONDS });
    const system = { name: "ours" as const, address: this.#address, rootPids };
    const { measurement } = await measureLoad<GrpcRequest>(system, { ...load, seconds });
    if (Object.keys(measurement.errors).length === 0) return measurement;
    throw new WrongCounters(`adds over gRPC failed: ${formatErrors(measurement.errors)}`);
  }

  async #isServed(): Promise<boolean> {
    const requests = [addRequest("probe")];
    const { errors } = await runLoad({ address: this.#address, connections: 1, requests, connect: connectGrpc });
    if (Object.keys(errors).length > 0) throw new Error(formatErrors(errors));
    return true;
  }

  get #address(): Address {
    return { host: "127.0.0.1", port: this.#port };
  }
}

const connectGrpc = (address: Address) => new GrpcConnection(address);

const { root } = protobuf.parse(`
  syntax = "proto3";
  message AddLineItem { string user_id = 1; string product_id = 2; string name = 3; int32 quantity = 4; }
`);
const AddLineItem = root.lookupType("AddLineItem");

function addRequest(userId: string): GrpcRequest {
  return unaryRequest(ADD_ITEM, AddLineItem.encode({ userId, ...PRODUCT }).finish());
}

export function compareGrpc(grpc: Measurement, entity: Measurement): GrpcResult {
  const ratio = {
    rps: grpc.rps / entity.rps,
    p50Ms: grpc.p50Ms / entity.p50Ms,
    cpuMsPerCall: grpc.cpuMsPerCall / entity.cpuMsPerCall,
  };
  return { grpc, entity, ratio };
}

export function formatGrpc(name: string, { grpc, entity, ratio }: GrpcResult): string {
  const row = (who: string, { rps, p50Ms, p99Ms, cpuMsPerCall, calls, errors }: Measurement) => [
    ...[name, who, rps.toFixed(0), p50Ms.toFixed(2), p99Ms.toFixed(2), cpuMsPerCall.toFixed(3)],
    ...[String(calls), formatErrors(errors)],
  ];
  return alignTable([
    ["", "", "req/s", "p50 ms", "p99 ms", "CPU-ms/call", "calls", "errors"],
    row("entity, HTTP", entity),
    row("user function, gRPC", grpc),
    [name, "gRPC / HTTP", ratio.rps.toFixed(2), ratio.p50Ms.toFixed(2), "", ratio.cpuMsPerCall.toFixed(2), "", ""],
  ]);
}

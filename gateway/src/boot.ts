import { createNode } from "@genserverless/shared/cluster/node.ts";
import { LogShipper } from "@genserverless/shared/logs/log-shipper.ts";
import { Lifecycle, type Part, runUntilSignalled } from "@genserverless/shared/service/lifecycle.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { prepareStores } from "@genserverless/shared/stores/open-stores.ts";
import { readStoreSettings } from "@genserverless/shared/stores/settings.ts";
import { openTracer } from "@genserverless/shared/trace/open-tracer.ts";
import { readGatewaySettings } from "./config.ts";
import { Gateway } from "./gateway.ts";

try {
  const settings = readGatewaySettings(process.env);
  const { cluster, host, metricsPort: port } = settings.worker;
  const shipper = new LogShipper();
  const log = createLog(`gateway@${cluster.nodeName}`, process.env, 1, shipper);
  const node = createNode("gateway", cluster, log, shipper);
  // Entities keep what they have in the journal.
  const openStores = await prepareStores(readStoreSettings({}), cluster.keyPrefix);
  const stores = openStores(node.events);
  const tracer = await openTracer("gateway", cluster.nodeName, log);
  const gateway = new Gateway(node, settings, { stores, tracer, log });
  const doors = port > 0 ? [await openMetrics()] : [];
  const parts = new Lifecycle([tracer, ...doors, node.link, shipper, node.subscriber, stores, gateway]);

  /** What it takes is loaded only where it is wanted. */
  async function openMetrics(): Promise<Part> {
    const { MetricsServer } = await import("@genserverless/shared/metrics/metrics-server.ts");
    const { createWorkerRegistry } = await import("@genserverless/worker/metrics.ts");
    const registry = createWorkerRegistry(node, gateway.worker);
    return new MetricsServer({ host, port, registry, events: node.events });
  }
  await runUntilSignalled(parts, (error) => log.fatal(String(error)));
} catch (error) {
  createLog("gateway", {}).fatal((error as Error).message);
  process.exit(1);
}

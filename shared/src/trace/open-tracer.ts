/** The tracer that the environment asks for. What tracing takes is loaded only where it is asked for. */

import type { Logger } from "../service/log.ts";
import { readTraceSettings } from "./settings.ts";
import { NO_TRACER, type Tracer } from "./tracer.ts";

/** Rejects with SettingError. */
export async function openTracer(
  role: "api" | "worker" | "gateway",
  nodeName: string,
  log: Logger,
  env: Record<string, string | undefined> = process.env,
): Promise<Tracer> {
  const settings = readTraceSettings(env);
  if (!settings) return NO_TRACER;
  const { OpenTelemetry } = await import("./open-telemetry.ts");
  return OpenTelemetry.open(settings, { service: `genserverless-${role}`, instance: nodeName, log });
}

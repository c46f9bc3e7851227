/** Which spans go where, by the environment variables that OpenTelemetry has for it. */

import { readInteger, readText, SettingError } from "../service/env.ts";

export interface TraceSettings {
  protocol: "http/protobuf" | "http/json";
  sampler: { isParentBased: boolean; root: Root; ratio: number };
  /** How long a span waits for others before they are sent. */
  delayMs: number;
  /** How many spans may wait; what ends then is lost. */
  mostWaiting: number;
}

type Environment = Record<string, string | undefined>;
type Root = "always_on" | "always_off" | "traceidratio";

const ROOTS: readonly Root[] = ["always_on", "always_off", "traceidratio"];

/** Undefined where nothing is traced. Where the collector is the exporter reads by itself. */
export function readTraceSettings(env: Environment): TraceSettings | undefined {
  if (!isWanted(env)) return undefined;
  return {
    protocol: readProtocol(env),
    sampler: readSampler(env),
    delayMs: readInteger(env, "OTEL_BSP_SCHEDULE_DELAY", 5_000, 1, 600_000),
    mostWaiting: readInteger(env, "OTEL_BSP_MAX_QUEUE_SIZE", 2_048, 1, 1_000_000),
  };
}

function isWanted(env: Environment): boolean {
  if (readText(env, "OTEL_SDK_DISABLED", "").toLowerCase() === "true") return false;
  const shared = readUrl("OTEL_EXPORTER_OTLP_ENDPOINT", readText(env, "OTEL_EXPORTER_OTLP_ENDPOINT", ""));
  const own = readUrl("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", readText(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""));
  const exporter = readText(env, "OTEL_TRACES_EXPORTER", shared || own ? "otlp" : "none");
  return oneOf("OTEL_TRACES_EXPORTER", exporter, ["otlp", "none"]) === "otlp";
}

function readUrl(name: string, text: string): string {
  if (text === "" || (/^https?:\/\//.test(text) && URL.canParse(text))) return text;
  throw new SettingError(`${name} must be http://host[:port][/path], or https`);
}

function readProtocol(env: Environment): TraceSettings["protocol"] {
  const shared = readText(env, "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
  const protocol = readText(env, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", shared);
  return oneOf("OTEL_EXPORTER_OTLP_PROTOCOL", protocol, ["http/protobuf", "http/json"]);
}

function readSampler(env: Environment): TraceSettings["sampler"] {
  const text = readText(env, "OTEL_TRACES_SAMPLER", "parentbased_always_on");
  const known = [...ROOTS, ...ROOTS.map((root) => `parentbased_${root}` as const)];
  const name = oneOf("OTEL_TRACES_SAMPLER", text, known);
  const ratio = Number(readText(env, "OTEL_TRACES_SAMPLER_ARG", "1"));
  if (!(ratio >= 0 && ratio <= 1)) throw new SettingError("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1");
  return { isParentBased: name.startsWith("parentbased_"), root: name.replace("parentbased_", "") as Root, ratio };
}

function oneOf<Word extends string>(name: string, text: string, words: readonly Word[]): Word {
  const word = words.find((each) => each === text);
  if (word === undefined) throw new SettingError(`${name} must be one of ${words.join(", ")}, not "${text}"`);
  return word;
}

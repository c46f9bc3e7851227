import assert from "node:assert/strict";
import { test } from "node:test";
import { readTraceSettings } from "./settings.ts";

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

test("nothing is traced unless an endpoint or the exporter is given", () => {
  for (const env of [
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: " " },
    { ...endpoint, OTEL_TRACES_EXPORTER: "none" },
    { ...endpoint, OTEL_SDK_DISABLED: "true" },
    { OTEL_TRACES_SAMPLER: "always_on" },
  ]) {
    assert.equal(readTraceSettings(env), undefined, JSON.stringify(env));
  }
  for (const env of [
    endpoint,
    { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://collector/v1/traces" },
    { OTEL_TRACES_EXPORTER: "otlp" },
  ]) {
    assert.ok(readTraceSettings(env), JSON.stringify(env));
  }
});

test("protocol and sampler have the names and defaults of OpenTelemetry", () => {
  const settings = readTraceSettings(endpoint);
  assert.equal(settings?.protocol, "http/protobuf");
  assert.deepEqual(settings?.sampler, { isParentBased: true, root: "always_on", ratio: 1 });
  const given = readTraceSettings({
    ...endpoint,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json",
    OTEL_TRACES_SAMPLER: "traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.25",
  });
  assert.equal(given?.protocol, "http/json");
  assert.deepEqual(given?.sampler, { isParentBased: false, root: "traceidratio", ratio: 0.25 });
});

test("a bad value is an error that names the setting", () => {
  for (const [name, value] of [
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
    ["OTEL_TRACES_EXPORTER", "zipkin"],
    ["OTEL_TRACES_SAMPLER", "sometimes"],
    ["OTEL_TRACES_SAMPLER_ARG", "2"],
    ["OTEL_BSP_SCHEDULE_DELAY", "0"],
  ] as const) {
    assert.throws(() => readTraceSettings({ ...endpoint, [name]: value }), new RegExp(name), name);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { SettingError } from "@genserverless/shared/service/env.ts";
import { readGatewaySettings } from "./config.ts";
import { pauseMs } from "./discovery/discovery.ts";

test("the defaults are those of the first backend", () => {
  const settings = readGatewaySettings({});
  const { port, userFunction, relayTimeoutMs, passivationTimeoutMs, backoff } = settings;
  assert.deepEqual(
    { port, userFunction, relayTimeoutMs, passivationTimeoutMs, backoff },
    {
      port: 9_000,
      userFunction: "localhost:8080",
      relayTimeoutMs: 60_000,
      passivationTimeoutMs: 30_000,
      backoff: { minMs: 1_000, maxMs: 10_000, randomFactor: 0.2 },
    },
  );
});

test("the host is a setting of its own, else the node's, else loopback", () => {
  assert.equal(readGatewaySettings({}).host, "127.0.0.1");
  assert.equal(readGatewaySettings({ HOST: "0.0.0.0" }).host, "0.0.0.0");
  assert.equal(readGatewaySettings({ HOST: "0.0.0.0", GATEWAY_HOST: "127.0.0.2" }).host, "127.0.0.2");
});

test("a bad value is an error that names its setting", () => {
  const bad = {
    GATEWAY_PORT: ["x", "65536", "-1", "1.5"],
    USER_FUNCTION: ["localhost", "localhost:0", "localhost:99999", "http://localhost:8080", ":8080", "a b:1"],
    RELAY_TIMEOUT_MS: ["0", "soon"],
    RELAY_BUFFER_SIZE: ["0"],
    PASSIVATION_TIMEOUT_MS: ["0", "99999999999"],
    BACKOFF_MIN_MS: ["0"],
    BACKOFF_MAX_MS: ["999"],
    BACKOFF_RANDOM_FACTOR: ["-0.1", "1.1", "some"],
  };
  for (const [name, values] of Object.entries(bad)) {
    for (const value of values) {
      const isNamed = (error: unknown) => error instanceof SettingError && error.message.startsWith(name);
      assert.throws(() => readGatewaySettings({ [name]: value }), isNamed, `${name}=${value}`);
    }
  }
});

test("addresses by name, by number and of IPv6 are taken", () => {
  for (const address of ["localhost:8090", "127.0.0.1:1", "user-function_1.example:65535", "[::1]:8080"]) {
    assert.equal(readGatewaySettings({ USER_FUNCTION: address }).userFunction, address);
  }
});

test("CS-1: pauses double from the least to the most, and chance adds a fifth at most", () => {
  const backoff = { minMs: 1_000, maxMs: 10_000, randomFactor: 0.2 };
  const pauses = [0, 1, 2, 3, 4, 100].map((failures) => pauseMs(backoff, failures, 0));
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  assert.equal(pauseMs(backoff, 0, 1), 1_200);
});

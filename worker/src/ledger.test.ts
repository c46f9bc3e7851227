import assert from "node:assert/strict";
import { test } from "node:test";
import type { Act } from "@genserverless/shared/cluster/leases.ts";
import { Ledger } from "./ledger.ts";

test("takes as many acts and events as a turn may come to", () => {
  const ledger = new Ledger();
  const acts: Act[] = Array.from({ length: 300_000 }, (_, index) => ["untie", `m:${index}`]);
  ledger.addActs(acts);
  const event = { type: "added", dataText: "1", messageId: "" };
  ledger.emit(
    acts.map(() => event),
    "#300000 1 0",
  );
  const page = ledger.take();
  assert.deepEqual([page.acts.length, page.events.length, page.recordText], [300_000, 300_000, "#300000 1 0"]);
  assert.ok(ledger.isEmpty);
});

/** What the tests of journals ask of a cluster, and say to its diaries and tallies. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { TEST_MODULES, TestCluster, type TestClusterOptions } from "../tools/test-cluster.ts";

export const DIARIES = join(import.meta.dirname, "journal-modules");
export const SOON = { withinMs: 20_000 };

export interface Shown {
  sequence: number;
  type: string;
  data: unknown;
  version: number;
  at: string;
  messageId: string;
}

export interface Page {
  first: number;
  last: number;
  events: Shown[];
  next?: number;
}

/** `diary` has a snapshot every 3 events; `tally` every 10, and keeps 30. */
export function makeDiaries(options: Pick<TestClusterOptions, "apis" | "workers" | "redis"> = {}) {
  const cluster = new TestCluster({ ...options, modulesDir: `${TEST_MODULES}:${DIARIES}` });
  const { client } = cluster;
  return {
    cluster,
    read: async (pid: string, rest = "") => {
      const { status, body } = await client.get(pathOf(pid, rest));
      assert.equal(status, 200, JSON.stringify(body));
      return body as unknown as Page;
    },
    stateAt: async (pid: string, at: string | number) => {
      const { status, body } = await client.get(pathOf(pid, `/state?at=${encodeURIComponent(at)}`));
      assert.equal(status, 200, JSON.stringify(body));
      return body;
    },
    /** The ids of the messages. */
    write: async (pid: string, ...texts: string[]) => {
      const ids: string[] = [];
      for (const text of texts) {
        const { status, body } = await client.call(pid, { write: text });
        assert.equal(status, 200, JSON.stringify(body));
        ids.push(String(body["messageId"]));
      }
      return ids;
    },
    tally: async (pid: string, by: number) => assert.equal((await client.call(pid, { add: by })).status, 200),
  };
}

export function pathOf(pid: string, rest = ""): string {
  return `/v1/processes/${pid}/journal${rest}`;
}

export function sequences({ events }: Page): number[] {
  return events.map(({ sequence }) => sequence);
}

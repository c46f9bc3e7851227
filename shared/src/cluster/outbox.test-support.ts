/** For tests of what leaves an outbox: commits that send, deliveries whole and cut short, mailboxes as they are. */

import assert from "node:assert/strict";
import { until } from "../../../test/tools/until.ts";
import { newMessageId } from "../process/message.ts";
import type { Pid } from "../process/pid.ts";
import { mailboxName } from "../redis/keys.ts";
import { seal } from "./envelope.ts";
import type { Act, SendKind } from "./leases.ts";
import { Outboxes } from "./outbox.ts";
import { type Held, ScriptBench } from "./scripts.test-support.ts";

export class OutboxBench extends ScriptBench {
  readonly undeliverable: Record<string, unknown>[] = [];
  /** Of whom a state in a store of its own was to be forgotten, and its reference. */
  readonly wiped: [pid: Pid, reference: string][] = [];
  #outboxes: Outboxes | undefined;

  override async start(): Promise<void> {
    await super.start();
    this.events.listen(({ name, fields }) => {
      if (name === "message.undeliverable") this.undeliverable.push(fields);
    });
    const wipeState = async (pid: Pid, reference: string) => void this.wiped.push([pid, reference]);
    this.#outboxes = new Outboxes({ link: this.link, keys: this.keys, events: this.events, wipeState });
  }

  get outboxes(): Outboxes {
    assert.ok(this.#outboxes);
    return this.#outboxes;
  }

  sendTo = (kind: SendKind, to: string, content: unknown, options = ""): Act => {
    const isGroup = kind === "join" || kind === "leave" || kind === "publish";
    const partition = isGroup ? this.keys.groupPartition(to) : this.keys.partitionOf(to as Pid);
    return ["send", kind, to, newMessageId(partition), 0, options, seal(JSON.stringify(content))];
  };

  /** The name of a process's outbox. */
  outboxOf = async ({ pid }: Pick<Held, "pid">): Promise<string> => {
    return mailboxName(pid, (await this.readRecord(pid))["i"] ?? "");
  };

  commitAll = async (sender: Held, ...acts: Act[]): Promise<string> => {
    assert.ok(await this.commit(sender.lease, [], { width: 0, acts }));
    return await this.outboxOf(sender);
  };

  /** Delivers to one partition what an outbox holds, and takes nothing out, as a node does that dies then; what was dropped. */
  deliverOnly = async (sender: Held, to: string, name: string, entries?: string[]): Promise<string[]> => {
    const { link, keys } = this;
    const { partition } = sender.lease;
    const target = to.includes("/") ? keys.partitionOf(to as Pid) : keys.groupPartition(to);
    const all = entries ?? (await link.call<string[]>("lrange", keys.outbox(partition, name), 0, -1));
    const args = [keys.base(target), name, sender.pid, partition, ...all];
    const [dropped] = await link.run<[string[]]>("deliver", [keys.stream(target, name)], args);
    return dropped;
  };

  deliver = async (sender: Held): Promise<void> => {
    await this.outboxes.empty(sender.lease.partition, await this.outboxOf(sender));
    await this.untilDelivered();
  };

  /** Nothing is on its way any more: what a partition sends on, too. */
  untilDelivered = async (): Promise<void> => {
    await until(async () => (await this.#emptyAll()) === 0, {
      withinMs: 5_000,
      everyMs: 5,
      what: "every outbox is empty",
    });
  };

  /** What waits in a mailbox or is in hand, the oldest first. */
  mailOf = async (pid: Pid): Promise<{ kind: string; message: unknown }[]> => {
    const { link, keys } = this;
    const partition = keys.partitionOf(pid);
    const name = await this.outboxOf({ pid });
    const ids = await Promise.all(
      ["active", "wait"].map(async (list) =>
        (await link.call<string[]>("lrange", keys.queue(partition, name, list), 0, -1)).reverse(),
      ),
    );
    const read = async (id: string) => {
      const job = keys.queue(partition, name, id);
      const [kind, data] = await link.call<[string, string]>("hmget", job, "name", "data");
      return { kind, message: (JSON.parse(data) as { m: unknown }).m };
    };
    return await Promise.all(ids.flat().map(read));
  };

  contentsOf = async (pid: Pid): Promise<unknown[]> => (await this.mailOf(pid)).map(({ message }) => message);

  /** How many were not empty. */
  async #emptyAll(): Promise<number> {
    const partitions = Array.from({ length: this.keys.partitions }, (_, partition) => partition);
    const noted = await Promise.all(
      partitions.map(async (partition) => {
        const names = await this.link.call<string[]>("zrange", this.keys.outboxes(partition), 0, -1);
        await Promise.all(names.map((name) => this.outboxes.empty(partition, name)));
        return names.length;
      }),
    );
    return noted.reduce((sum, count) => sum + count, 0);
  }
}

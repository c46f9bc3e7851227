/** What every node is made of: settings, log, events, one command connection, one subscriber, and a place in the cluster. */

import type { LogShipper } from "../logs/log-shipper.ts";
import type { Role } from "../process/role.ts";
import { RedisLink } from "../redis/connection.ts";
import { Keys } from "../redis/keys.ts";
import { loadScripts } from "../redis/scripts.ts";
import { Subscriber } from "../redis/subscriber.ts";
import { Events, logEvents } from "../service/events.ts";
import type { Logger } from "../service/log.ts";
import { ClusterClock } from "./clock.ts";
import { readPublishedLua } from "./mailbox.ts";
import { Membership, type MembershipOptions } from "./members.ts";
import type { ClusterSettings } from "./settings.ts";

type Hooks = Pick<MembershipOptions, "modules" | "describe" | "onSession" | "onLost" | "onMembers">;

export interface Node {
  name: string;
  settings: ClusterSettings;
  events: Events;
  link: RedisLink;
  subscriber: Subscriber;
  keys: Keys;
  clock: ClusterClock;
  /** Registers the node; call once the node can do its work. */
  join(hooks?: Hooks): Membership;
}

/** Where `shipper` is given, it is what brings the node's log to the cluster's. */
export function createNode(role: Role, settings: ClusterSettings, log: Logger, shipper?: LogShipper): Node {
  const events = new Events();
  logEvents(events, log);
  const name = `${role}@${settings.nodeName}`;
  const silenceMs = Math.max(settings.sessionTtlMs, 3_000);
  const scripts = loadScripts(readPublishedLua());
  const link = new RedisLink({ url: settings.redisUrl, name, scripts, events, silenceMs });
  const subscriber = new Subscriber({ url: settings.redisUrl, name, silenceMs });
  const keys = new Keys(settings.keyPrefix, settings.partitions);
  shipper?.connect({ node: name, link, keys, entries: settings.logEntries });
  events.listen((event) => {
    if (event.name === "session.registered") shipper?.open();
  });
  const join = (hooks: Hooks = {}) =>
    new Membership({ link, keys, events, role, name: settings.nodeName, ttlMs: settings.sessionTtlMs, ...hooks });
  return { name, settings, events, link, subscriber, keys, clock: new ClusterClock(link), join };
}

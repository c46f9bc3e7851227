/** The contract between a module and whatever runs it, as cases: the same for the test kit and for a cluster. */

import { calls } from "./cases/calls.ts";
import { crashes } from "./cases/crashes.ts";
import { entities } from "./cases/entities.ts";
import { failures } from "./cases/failures.ts";
import { life } from "./cases/life.ts";
import { messages } from "./cases/messages.ts";
import { ties } from "./cases/ties.ts";
import { timers } from "./cases/timers.ts";
import type { Case } from "./driver.ts";

export const suite: readonly Case[] = [
  ...messages,
  ...life,
  ...entities,
  ...timers,
  ...ties,
  ...calls,
  ...failures,
  ...crashes,
];

/** Says which turn the running code belongs to, also after an await; the watchdog asks for it. */

import { AsyncLocalStorage } from "node:async_hooks";
import type { TurnContext } from "genserverless/runtime/turn-context.ts";

export const currentTurn = new AsyncLocalStorage<TurnContext>();

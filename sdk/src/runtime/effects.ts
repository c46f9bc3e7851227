/** What a turn wants done, as it was asked for. */

import type { From, Pid } from "../contract.ts";
import type { Timer } from "./ties.ts";

/** What a turn wants done once it is committed, in the order in which it asked. Texts are JSON. */
export type Effect =
  | { readonly do: "cast" | "info"; readonly pid: Pid; readonly messageText: string; readonly delayMs: number }
  | { readonly do: "start"; readonly pid: Pid; readonly argsText: string; readonly optionsText: string }
  | { readonly do: "stop" | "exit"; readonly pid: Pid; readonly reason: string }
  | { readonly do: "reply"; readonly from: From; readonly replyText: string }
  /** A timer's message sets out, due at `timer.dueAt`. */
  | { readonly do: "arm"; readonly name: string; readonly timer: Timer; readonly messageText: string }
  /** A timer's message, if it is still on its way, is taken back. */
  | { readonly do: "disarm"; readonly id: string }
  | { readonly do: "monitor" | "demonitor" | "link"; readonly pid: Pid; readonly ref: string }
  | { readonly do: "unlink"; readonly pid: Pid; readonly refs: readonly string[] }
  | { readonly do: "join" | "leave"; readonly group: string }
  | { readonly do: "publish"; readonly group: string; readonly messageText: string }
  | { readonly do: "tags"; readonly tags: readonly string[] };

/** What a test sees of timers, mailboxes and outboxes: values instead of texts. */

import type { Missed, Pid } from "../contract.ts";
import type { Timer } from "../runtime/ties.ts";
import type { KitProcess } from "./kit-process.ts";
import { contentOf, type Mail, type MailKind } from "./mail.ts";
import type { Parcel } from "./post.ts";

export interface TimerView {
  readonly name: string;
  /** Ms since the epoch. */
  readonly dueAt: number;
  readonly message: unknown;
  readonly everyMs?: number;
  readonly cron?: string;
  readonly timezone?: string;
  readonly missed?: Missed;
}

export interface MailView {
  readonly messageId: string;
  readonly kind: MailKind;
  readonly message: unknown;
  readonly attempt: number;
}

/** `do` as the context's function is called; `to` a pid or a group. */
export interface SentView {
  readonly do: string;
  readonly to: string;
  readonly message?: unknown;
  readonly reason?: string;
  readonly delayMs?: number;
}

export function viewMail(mail: Mail): MailView {
  return { messageId: mail.id, kind: mail.kind, message: contentOf(mail), attempt: mail.attempt };
}

export function viewTimers(process: KitProcess): TimerView[] {
  const names = [...process.ties.entries()].flatMap(([field]) => (field.startsWith("t:") ? [field.slice(2)] : []));
  return names
    .map((name) => viewTimer(process, name, process.ties.timer(name) as Timer))
    .sort((one, other) => one.dueAt - other.dueAt);
}

function viewTimer(process: KitProcess, name: string, { id, messageText: _text, ...timer }: Timer): TimerView {
  const mail = process.delayed.get(id)?.mail ?? process.mailbox.find((waiting) => waiting.id === id);
  return { name, message: mail && contentOf(mail), ...timer };
}

export function viewSent({ sending }: Parcel): SentView {
  const to = "pid" in sending ? sending.pid : "group" in sending ? sending.group : (sending.from.pid as Pid);
  const text = textOf(sending);
  return {
    do: sending.do,
    to,
    ...(text !== undefined && { message: JSON.parse(text) as unknown }),
    ...("reason" in sending && { reason: sending.reason }),
    ...("delayMs" in sending && sending.delayMs > 0 && { delayMs: sending.delayMs }),
  };
}

function textOf(sending: Parcel["sending"]): string | undefined {
  if ("messageText" in sending) return sending.messageText;
  if ("argsText" in sending) return sending.argsText;
  return "replyText" in sending ? sending.replyText : undefined;
}

/** What lies in a mailbox. Texts are JSON. */

import type { Pid } from "../contract.ts";

export type Mail = Envelope & Content;

interface Envelope {
  readonly id: string;
  /** Which try it is, from 1. */
  attempt: number;
  /** How often a worker has died with it in hand. */
  deaths: number;
}

export type Content =
  | { readonly kind: "start"; readonly text: string }
  /** The caller waits until `deadlineAt`. */
  | { readonly kind: "call"; readonly text: string; readonly deadlineAt: number }
  | { readonly kind: "cast"; readonly text: string }
  /** `timer` is the name of the timer that sent it. */
  | { readonly kind: "info"; readonly text: string; readonly timer?: string }
  | { readonly kind: "stop"; readonly reason: string }
  | { readonly kind: "down"; readonly pid: Pid; readonly ref: string; readonly reason: string }
  /** With `refs` it is the end of a linked process, and counts only while the link has one of them. */
  | { readonly kind: "exit"; readonly pid: Pid; readonly reason: string; readonly refs?: readonly string[] }
  | { readonly kind: "link"; readonly pid: Pid; readonly ref: string }
  | { readonly kind: "unlink"; readonly pid: Pid; readonly refs: readonly string[] };

export type MailKind = Mail["kind"];

export type MailOf<Kind extends Mail["kind"]> = Extract<Mail, { kind: Kind }>;

export function newMail<C extends Content>(id: string, content: C): C & Envelope {
  return { id, attempt: 1, deaths: 0, ...content };
}

/** The message as a callback gets it, or as an author would name it. */
export function contentOf(mail: Mail): unknown {
  switch (mail.kind) {
    case "start":
    case "call":
    case "cast":
    case "info":
      return JSON.parse(mail.text);
    case "stop":
      return { reason: mail.reason };
    case "down":
      return { type: "DOWN", ref: mail.ref, pid: mail.pid, reason: mail.reason };
    case "exit":
      return { type: "EXIT", pid: mail.pid, reason: mail.reason };
    case "link":
    case "unlink":
      return { pid: mail.pid };
  }
}

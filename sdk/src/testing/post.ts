/**
 * Takes what a commit wants sent to where it goes. A process's sends leave in the order in which it made them, at once, or
 * when the kit lets them go.
 */

import type { Pid } from "../contract.ts";
import type { Effect } from "../runtime/effects.ts";
import type { KitCluster, Refusal } from "./kit-cluster.ts";
import type { KitProcess, ProcessOptions } from "./kit-process.ts";
import { type Content, contentOf, type Mail, newMail } from "./mail.ts";
import { done } from "./outcomes.ts";

/** What follows from the end of a process. */
export type Notice =
  | { readonly do: "down"; readonly pid: Pid; readonly ref: string; readonly reason: string }
  | { readonly do: "unwind"; readonly pid: Pid; readonly refs: readonly string[]; readonly reason: string };

/** What leaves a process: the effects that concern others, and the notices of its end. */
export type Sending = Exclude<Effect, { do: "arm" | "disarm" | "tags" }> | Notice;

export interface Parcel {
  readonly from: Pid;
  readonly sending: Sending;
}

export class Post {
  readonly #cluster: KitCluster;
  readonly #held: Parcel[] = [];
  #isHeld = false;

  /** Ends a process at once; how is not the post's to know. */
  onKill: (process: KitProcess) => void = () => {};

  constructor(cluster: KitCluster) {
    this.#cluster = cluster;
  }

  send(from: Pid, sending: Sending): void {
    if (this.#isHeld) this.#held.push({ from, sending });
    else this.#deliver(from, sending);
  }

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    for (const { from, sending } of this.#held.splice(0)) this.#deliver(from, sending);
  }

  held(from: string): Parcel[] {
    return this.#held.filter((parcel) => parcel.from === from);
  }

  #deliver(from: Pid, sending: Sending): void {
    const cluster = this.#cluster;
    switch (sending.do) {
      case "start":
        this.#start(sending.pid, sending.argsText, sending.optionsText);
        break;
      case "reply":
        answer(cluster, sending);
        break;
      case "monitor":
        this.#monitor(from, sending.pid, sending.ref);
        break;
      case "demonitor":
        cluster.find(sending.pid)?.watchers.delete(sending.ref);
        break;
      case "link":
        this.#link(from, sending.pid, sending.ref);
        break;
      case "join":
        cluster.groups.set(sending.group, (cluster.groups.get(sending.group) ?? new Set()).add(from));
        break;
      case "leave":
        cluster.groups.get(sending.group)?.delete(from);
        break;
      case "publish":
        for (const member of cluster.groups.get(sending.group) ?? []) {
          this.#mail(from, member, { kind: "info", text: sending.messageText });
        }
        break;
      case "exit":
        if (sending.reason === "kill") this.#kill(from, sending.pid);
        else this.#mail(from, sending.pid, toContent(from, sending));
        break;
      default:
        this.#mail(from, sending.pid, toContent(from, sending), "delayMs" in sending ? sending.delayMs : 0);
    }
  }

  #mail(from: Pid, to: Pid, content: Content, delayMs = 0): void {
    const mail = newMail(this.#cluster.ids.next(), content);
    const refusal = this.#cluster.accept(to, mail, { delayMs });
    if (refusal) this.#noteUndeliverable(from, to, mail, refusal);
  }

  #start(pid: Pid, argsText: string, optionsText: string): void {
    const id = this.#cluster.ids.next();
    const refusal = this.#cluster.begin(pid, id, argsText, readOptions(optionsText));
    if (!refusal || refusal.code === "already_started") return;
    const { code: reason } = refusal;
    this.#cluster.journal.note("message.undeliverable", pid, { kind: "start", message: JSON.parse(argsText), reason });
  }

  #monitor(from: Pid, pid: Pid, ref: string): void {
    const target = this.#cluster.findLiving(pid);
    if (target) target.watchers.set(ref, from);
    else this.#mail(pid, from, { kind: "down", pid, ref, reason: "noproc" });
  }

  #link(from: Pid, pid: Pid, ref: string): void {
    if (this.#cluster.findLiving(pid)) this.#mail(from, pid, { kind: "link", pid: from, ref });
    else this.#mail(pid, from, { kind: "exit", pid, reason: "noproc", refs: [ref] });
  }

  /** A kill is no mail: it overtakes what waits, and the turn under way. */
  #kill(from: Pid, pid: Pid): void {
    const target = this.#cluster.findLiving(pid);
    if (target) this.onKill(target);
    else this.#cluster.journal.note("message.undeliverable", pid, { kind: "exit", reason: "no_process", sender: from });
  }

  #noteUndeliverable(sender: Pid, to: Pid, mail: Mail, { code: reason }: Refusal): void {
    const fields = { messageId: mail.id, kind: mail.kind, message: contentOf(mail), reason, sender };
    this.#cluster.journal.note("message.undeliverable", to, fields);
  }
}

type AsMail = Exclude<
  Sending,
  { do: "start" | "reply" | "publish" } | { do: "monitor" | "demonitor" | "link" } | { do: "join" | "leave" }
>;

/** What a sending is in the mailbox of its target. */
function toContent(from: Pid, sending: AsMail): Content {
  switch (sending.do) {
    case "cast":
    case "info":
      return { kind: sending.do, text: sending.messageText };
    case "stop":
      return { kind: "stop", reason: sending.reason };
    case "exit":
      return { kind: "exit", pid: from, reason: sending.reason };
    case "unwind":
      return { kind: "exit", pid: from, reason: sending.reason, refs: sending.refs };
    case "unlink":
      return { kind: "unlink", pid: from, refs: sending.refs };
    case "down":
      return { kind: "down", pid: from, ref: sending.ref, reason: sending.reason };
  }
}

/** Answers a call that was not answered yet, whoever does it. */
export function answer(cluster: KitCluster, { from, replyText }: Extract<Effect, { do: "reply" }>): void {
  const callee = cluster.find(from.pid);
  if (callee?.owed.delete(from.messageId)) cluster.outcomes.settle(from.messageId, done(replyText));
}

/** Reads the options of a start, as a context writes them. */
export function readOptions(text: string): ProcessOptions {
  const { tags = [], idleAfterMs }: { tags?: string[]; idleAfterMs?: number | "infinity" } = text
    ? JSON.parse(text)
    : {};
  if (idleAfterMs === undefined) return { tags };
  return { tags, idleAfterMs: idleAfterMs === "infinity" ? Infinity : idleAfterMs };
}

/** What the end of a process tells others, in this order. */
export function noticesOf(process: KitProcess, reason: string): Sending[] {
  const notices: Sending[] = [...process.watchers].map(([ref, pid]) => ({ do: "down", pid, ref, reason }));
  for (const [pid, refs] of linksOf(process)) notices.push({ do: "unwind", pid, refs, reason });
  for (const [field, text] of process.ties.entries()) {
    const name = field.slice(2);
    if (field.startsWith("m:")) notices.push({ do: "demonitor", pid: text as Pid, ref: name });
    if (field.startsWith("g:")) notices.push({ do: "leave", group: name });
  }
  return notices;
}

/** Whom a process is linked to, by its own ties or by a link that it has not handled yet, with the links' references. */
function linksOf({ ties, mailbox }: KitProcess): Map<Pid, string[]> {
  const links = new Map<Pid, string[]>();
  for (const [field] of ties.entries()) {
    const pid = field.slice(2) as Pid;
    if (field.startsWith("l:")) links.set(pid, ties.linkRefs(pid));
  }
  for (const mail of mailbox) if (mail.kind === "link") links.set(mail.pid, [...(links.get(mail.pid) ?? []), mail.ref]);
  return links;
}

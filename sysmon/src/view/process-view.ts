/** The process tab: one process in detail, as one long page. */

import type { DeadLetter, MailboxPeek, QueuedMessage } from "@genserverless/shared/inspect/views.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { formatBytes, formatSpan } from "@genserverless/shared/text/quantities.ts";
import { outlineJson } from "./json-outline.ts";
import { type Line, line, scroll, span } from "./line.ts";
import type { Model, ProcessModel, Ties } from "./model.ts";
import { toneOfStatus } from "./processes-view.ts";
import { sparkline } from "./sparkline.ts";

const MESSAGE_CHARACTERS = 120;

export function viewProcess({ process, nowMs }: Model, width: number, height: number): Line[] {
  return scroll(describeProcess(process, nowMs, width), process.top, height);
}

/** The whole page. */
export function describeProcess(process: ProcessModel, nowMs: number, width: number): Line[] {
  const { pid, view, error } = process;
  if (!pid) return [line("Choose a process in the processes tab, or type o and its pid.", "quiet")];
  const trouble = error ? [line(toPrintable(error), "bad")] : [];
  if (!view) return [line(toPrintable(pid), "strong"), ...trouble, ...(error ? [] : [line("reading…", "quiet")])];
  return [
    ...describeHead(process, nowMs, width),
    ...trouble,
    ...section(`STATE  ${formatBytes(process.ties?.stateBytes ?? 0)}`, describeState(process)),
    ...section("MAILBOX", describeMailbox(process.mailbox, nowMs)),
    ...section("TIMERS", describeTimers(process.ties, nowMs)),
    ...section("LINKS, MONITORS, GROUPS", describeTies(process.ties)),
    ...section("LAST COMMITS", describeCommits(process, nowMs)),
    ...section(
      "DEAD LETTERS",
      process.deadLetters.flatMap((letter) => describeDeadLetter(letter, nowMs)),
    ),
  ];
}

function describeHead({ view, depths }: ProcessModel, nowMs: number, width: number): Line[] {
  if (!view) return [];
  const { pid, status, revision, turns, epoch, moduleVersion, owner, reason, tags, mailbox, sequence } = view;
  const events = sequence === undefined ? "" : `events ${sequence}  `;
  const since = (time: string) => formatSpan(nowMs - Date.parse(time));
  return [
    [
      span(toPrintable(pid), "strong"),
      span("  "),
      span(status, toneOfStatus(status)),
      span(`  ${toPrintable(reason ?? "")}`, "bad"),
    ],
    line(`revision ${revision}  turns ${turns}  ${events}epoch ${epoch}  module version ${moduleVersion}`),
    line(
      toPrintable(
        `owner ${owner ?? "-"}  started ${since(view.startedAt)} ago  last commit ${since(view.updatedAt)} ago`,
      ),
    ),
    ...(tags.length > 0 ? [line(toPrintable(`tags ${tags.join(" ")}`))] : []),
    [
      span(`mail ${mailbox.waiting} waiting, ${mailbox.delayed} delayed, ${mailbox.failed} failed  `),
      span(sparkline(depths, Math.max(0, Math.min(40, width - 45))), "warn"),
    ],
  ];
}

function section(title: string, lines: readonly Line[]): Line[] {
  return lines.length > 0 ? [line(""), line(title, "strong"), ...lines.map((each) => [span("  "), ...each])] : [];
}

function describeState({ state, view }: ProcessModel): Line[] {
  if (view?.sequence !== undefined) return [line("made of its events: the API and the web console show it", "quiet")];
  if (!state) return [line("not read", "quiet")];
  const more = state.isCut ? [line("… cut here; the API has all of it", "quiet")] : [];
  return [...state.lines.map((text) => line(text)), ...more];
}

function describeMailbox(peek: MailboxPeek | undefined, nowMs: number): Line[] {
  if (!peek) return [];
  const owed = peek.continue ? [line(`owed      continue ${write(peek.continue.value)}`)] : [];
  return [
    ...owed,
    ...peek.running.map((message) => describeMessage("in hand", message, nowMs)),
    ...peek.waiting.map((message) => describeMessage("waiting", message, nowMs)),
    ...peek.delayed.map((message) => describeMessage("delayed", message, nowMs)),
  ];
}

function describeMessage(place: string, { kind, message, queuedAt, dueAt, timer }: QueuedMessage, nowMs: number): Line {
  const when = dueAt
    ? `in ${formatSpan(Date.parse(dueAt) - nowMs)}`
    : `for ${formatSpan(nowMs - Date.parse(queuedAt))}`;
  const what = timer === undefined ? kind : `${kind} of timer ${timer}`;
  return [span(place.padEnd(10), "quiet"), span(toPrintable(`${what.padEnd(6)} ${write(message)}  ${when}`))];
}

function describeTimers(ties: Ties | undefined, nowMs: number): Line[] {
  return (ties?.timers ?? []).map(({ name, dueAtMs, goesOn }) =>
    line(toPrintable(`${name}  in ${formatSpan(dueAtMs - nowMs)}  ${goesOn}`)),
  );
}

function describeTies(ties: Ties | undefined): Line[] {
  const list = (what: string, names: readonly string[]) =>
    names.map((name): Line => [span(what.padEnd(10), "quiet"), span(toPrintable(name))]);
  return [
    ...list("link", ties?.links ?? []),
    ...list("monitor", ties?.monitors ?? []),
    ...list("group", ties?.groups ?? []),
  ];
}

function describeCommits({ commits }: ProcessModel, nowMs: number): Line[] {
  return commits
    .toReversed()
    .map(({ atMs, revision, turns, messages }) =>
      line(
        toPrintable(`${formatSpan(nowMs - atMs)} ago  revision ${revision}  turns ${turns}  ${messages.join(", ")}`),
      ),
    );
}

function describeDeadLetter({ kind, message, reason, node, failedAt, deaths }: DeadLetter, nowMs: number): Line[] {
  const where = deaths > 0 ? `ended ${deaths} nodes` : `on ${node}`;
  return [
    line(toPrintable(`${formatSpan(nowMs - Date.parse(failedAt))} ago  ${kind} ${write(message)}  ${where}`)),
    [span("  "), span(toPrintable(reason), "bad")],
  ];
}

/** A message in one line. */
function write(message: unknown): string {
  const { lines, isCut } = outlineJson(message, 40, MESSAGE_CHARACTERS);
  const text = lines.map((text) => text.trim()).join(" ");
  return isCut || text.length > MESSAGE_CHARACTERS ? `${text.slice(0, MESSAGE_CHARACTERS)}…` : text;
}

/** start, call, cast, info, stop, and what became of a message. */

import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { type Command, Option } from "commander";
import type { MessageView, SendOptions, StartFields } from "genserverless/client";
import { parseDuration } from "../duration.ts";
import { writeReadableJson } from "../json-text.ts";
import { readMessage } from "../message.ts";
import type { Session } from "../session.ts";
import { addExamples, keyOption, pidArgument, type Run } from "./command.ts";

interface Keyed {
  idempotencyKey?: string;
}

interface StartFlags extends Keyed {
  ifExists: "error" | "return";
  tag?: string[];
  idleAfter?: string;
}

interface SendFlags extends Keyed {
  delay?: string;
}

export function addMessaging(program: Command, run: Run): void {
  addStart(program, run);
  const call = program
    .command("call")
    .description("Sends a message and prints the reply, which comes after the commit.")
    .addArgument(pidArgument())
    .argument("<message>", "JSON, or a text; - for standard input")
    .addOption(keyOption())
    .action(run(callProcess));
  addExamples(call, "call accumulator/alice total", `call accumulator/alice '{"add":20}' --timeout 2s`);
  addSend(program, run, "cast", "Leaves a message for handleCast in the mailbox.", [
    "cast accumulator/alice 10",
    "echo 10 | genserverless cast accumulator/alice -",
  ]);
  addSend(program, run, "info", "The same, for handleInfo.", [
    "info game-room/lobby tick",
    "info game-room/lobby tick --delay 5s",
  ]);
  addStop(program, run);
  addMessageCommands(program, run);
}

function addStart(program: Command, run: Run): void {
  const start = program
    .command("start")
    .description("Starts a process; done when init has committed.")
    .argument("<target>", "module/key, or a module: then a key is made")
    .argument("[args]", "for init: JSON, or a text; - for standard input")
    .addOption(
      new Option("--if-exists <what>", "an existing process is an error, or the answer")
        .choices(["error", "return"])
        .default("error"),
    )
    .option("--tag <tag...>", "by which it can be listed; may be repeated")
    .option("--idle-after <duration>", "puts it to sleep after so long without mail; or infinity")
    .addOption(keyOption())
    .action(run(startProcess));
  addExamples(start, "start accumulator/alice 100", "start stack '[1,2,3]' --tag demo", "start accumulator --json");
}

async function startProcess(
  session: Session,
  target: string,
  argument: string | undefined,
  flags: StartFlags,
): Promise<void> {
  const [module = "", ...keys] = target.split("/");
  const fields: StartFields = { ifExists: flags.ifExists };
  if (keys.length > 0) fields.key = keys.join("/");
  if (argument !== undefined) fields.args = await readMessage(argument, session.io);
  fields.options = readStartOptions(flags);
  const answer = await session.client.start(module, fields, session.once(flags));
  session.output.answer(answer, () => `${toPrintable(answer.pid)} ${answer.status}`);
}

function readStartOptions({ tag, idleAfter }: StartFlags): NonNullable<StartFields["options"]> {
  const idleAfterMs = idleAfter === undefined || idleAfter === "infinity" ? idleAfter : parseDuration(idleAfter);
  return { ...(tag ? { tags: tag } : {}), ...(idleAfterMs === undefined ? {} : { idleAfterMs }) };
}

async function callProcess(session: Session, pid: string, argument: string, flags: Keyed): Promise<void> {
  const message = await readMessage(argument, session.io);
  const { timeoutMs } = session.settings;
  const reply = await session.client.call(pid, message, {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(flags.idempotencyKey === undefined ? {} : { idempotencyKey: flags.idempotencyKey }),
  });
  session.output.answer({ reply }, () => writeReadableJson(reply));
}

function addSend(program: Command, run: Run, kind: "cast" | "info", what: string, examples: string[]): void {
  const send = async (session: Session, pid: string, argument: string, { delay, ...keyed }: SendFlags) => {
    const message = await readMessage(argument, session.io);
    const options: SendOptions = session.once(keyed);
    if (delay !== undefined) options.delayMs = parseDuration(delay);
    const answer = await session.client[kind](pid, message, options);
    session.output.answer(answer, () => toPrintable(answer.messageId));
  };
  const command = program
    .command(kind)
    .description(what)
    .addArgument(pidArgument())
    .argument("<message>", "JSON, or a text; - for standard input")
    .option("--delay <duration>", "not before so long")
    .addOption(keyOption())
    .action(run(send));
  addExamples(command, ...examples);
}

function addStop(program: Command, run: Run): void {
  const stop = async (session: Session, pid: string, { reason, ...keyed }: Keyed & { reason?: string }) => {
    const answer = await session.client.stop(pid, reason, session.once(keyed));
    session.output.answer(answer, () => `${pid} stopped: ${toPrintable(answer.reason)}`);
  };
  const command = program
    .command("stop")
    .description("Stops a process after the mail before; done when terminate has run.")
    .addArgument(pidArgument())
    .option("--reason <reason>", "another than normal, shutdown and shutdown:… keeps the state")
    .addOption(keyOption())
    .action(run(stop));
  addExamples(command, "stop accumulator/alice", "stop accumulator/alice --reason upgrade");
}

function addMessageCommands(program: Command, run: Run): void {
  const read = async (session: Session, id: string, { wait }: { wait?: string }) => {
    const waiting = wait === undefined ? {} : { waitMs: parseDuration(wait) };
    const view = await session.client.message(id, { ...session.limits, ...waiting });
    session.output.answer(view, () => describeMessage(view));
  };
  const message = program
    .command("message")
    .description("What became of a message.")
    .argument("<id>", "as cast and info print it")
    .option("--wait <duration>", "waits so long for its end")
    .action(run(read));
  addExamples(message, "message $MESSAGE --wait 5s");
  const take = async (session: Session, id: string) => {
    const view = await session.client.cancel(id, session.limits);
    session.output.answer(view, () => describeMessage(view));
  };
  const cancel = program
    .command("cancel")
    .description("Takes back a message that is still queued or delayed.")
    .argument("<id>", "as cast and info print it")
    .action(run(take));
  addExamples(cancel, "cancel $MESSAGE");
}

function describeMessage({ messageId, status, reply, error }: MessageView): string[] {
  const lines = [`${toPrintable(messageId)} ${status}`];
  if (reply !== undefined) lines.push(writeReadableJson(reply));
  if (error) lines.push(toPrintable(`${error.code}: ${error.detail}`));
  return lines;
}

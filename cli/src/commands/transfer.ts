/** export and import: all of a process in one document. */

import { readFile, writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { type Command, Option } from "commander";
import type { Client, ProcessDocument } from "genserverless/client";
import { WrongUsage } from "../failure.ts";
import { writeJson } from "../json-text.ts";
import type { Session } from "../session.ts";
import { addExamples, keyOption, pidArgument, type Run, readPid } from "./command.ts";

interface ImportFlags {
  as?: string;
  replace?: boolean;
  idempotencyKey?: string;
}

export function addTransfer(program: Command, run: Run): void {
  const exporting = program
    .command("export")
    .description("All of a process as of one moment, as one JSON document: state, options, timers, mail.")
    .addArgument(pidArgument())
    .option("--to <file>", "instead of standard output; readable by its owner alone")
    .action(run(exportProcess));
  addExamples(exporting, "export accumulator/alice", "export accumulator/alice --to alice.json");
  const importing = program
    .command("import")
    .description("Makes a process of such a document; no init runs.")
    .argument("<file>", "the document; - for standard input")
    .addOption(new Option("--as <pid>", "another name than the document's").argParser(readPid))
    .option("--replace", "ends the process that is there")
    .addOption(keyOption())
    .action(run(importProcess));
  addExamples(importing, "import alice.json --as accumulator/bob", "import alice.json --replace");
}

async function exportProcess(session: Session, pid: string, { to }: { to?: string }): Promise<void> {
  const document = writeJson(await session.client.export(pid, session.limits));
  if (to === undefined) return session.output.line(document);
  await writeFile(to, `${document}\n`, { mode: 0o600 }).catch((error) => tellFile(error));
  session.output.answer({ file: to }, () => `${pid} → ${toPrintable(to)}`);
}

async function importProcess(session: Session, file: string, flags: ImportFlags): Promise<void> {
  const document = await readDocument(session, file);
  const options: NonNullable<Parameters<Client["import"]>[1]> = {
    ...session.once(flags),
    ifExists: flags.replace ? "replace" : "error",
  };
  if (flags.as !== undefined) options.pid = flags.as;
  const answer = await session.client.import(document, options);
  session.output.answer(answer, () => `${toPrintable(answer.pid)} ${answer.status}`);
}

async function readDocument({ io }: Session, file: string): Promise<ProcessDocument> {
  const content = file === "-" ? await text(io.stdin) : await readFile(file, "utf8").catch((error) => tellFile(error));
  try {
    return JSON.parse(content) as ProcessDocument;
  } catch {
    throw new WrongUsage(`${file === "-" ? "standard input" : file} is not JSON`);
  }
}

function tellFile(error: Error): never {
  throw new WrongUsage(error.message);
}

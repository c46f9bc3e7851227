/** init: writes a starter project, which can be deployed as it is. */

import { constants, existsSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import type { Command } from "commander";
import { WrongUsage } from "../failure.ts";
import type { Session } from "../session.ts";
import { addExamples, type Run } from "./command.ts";

const STARTER = join(import.meta.dirname, "../../starter");
const FILES = [".eserveless.yaml", "functions.js", "package.json", "README.md"];

export function addInit(program: Command, run: Run): void {
  const init = program
    .command("init")
    .description("Writes a project with an http and a cron function, to begin with.")
    .argument("[folder]", "where; it is made where it is not there", ".")
    .action(run(writeStarter));
  addExamples(init, "init shop");
}

/** All of the files or, where one is there, none. */
async function writeStarter({ output }: Session, folder: string): Promise<void> {
  const there = FILES.filter((name) => existsSync(join(folder, name)));
  if (there.length > 0) throw new WrongUsage(`${there.join(", ")} in ${folder}: there already, nothing was written`);
  try {
    await mkdir(folder, { recursive: true });
    for (const name of FILES) await copyFile(join(STARTER, name), join(folder, name), constants.COPYFILE_EXCL);
  } catch (error) {
    throw new WrongUsage((error as Error).message);
  }
  output.answer({ folder, files: FILES }, () => FILES.map((name) => toPrintable(join(folder, name))));
  const enter = folder === "." ? "" : `cd ${folder} && `;
  const begin = existsSync(join(folder, ".git")) ? "" : "git init && ";
  output.note(
    toPrintable(`next: ${enter}${begin}git add . && git commit -m "API and Ticker" && genserverless deploy .`),
  );
}

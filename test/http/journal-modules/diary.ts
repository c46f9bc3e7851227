import { defineEntity } from "genserverless";

/** Pages that are written and struck out. An api that is told so finds an event that never ends. */
export default defineEntity({
  name: "diary",
  version: 1,
  initial: (): string[] => [],
  events: {
    wrote: (text: string, pages) => {
      while (text === "endless" && process.env["DIARY_NEVER_ENDS"]);
      return [...pages, text];
    },
    struck: (page: number, pages) => pages.toSpliced(page, 1),
  },
  commands: {
    write: (text, _pages, ctx) => void ctx.emit("wrote", String(text)),
    strike: (page, _pages, ctx) => void ctx.emit("struck", Number(page)),
    pages: (_args, pages) => pages,
  },
  snapshotEvery: 3,
});

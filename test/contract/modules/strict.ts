import { defineServer, noreply, reply } from "genserverless";

/** A validator as any library's: it takes numbers. */
const number = {
  "~standard": {
    version: 1 as const,
    vendor: "contract",
    validate: (value: unknown) => (typeof value === "number" ? { value } : { issues: [{ message: "is no number" }] }),
  },
};

/** Adds what its named handlers let through. */
export default defineServer({
  name: "strict",
  version: 1,
  init: () => 0,
  calls: { total: (_args, _from, total) => reply(total, total) },
  casts: { add: { args: number, handle: (by, total) => noreply(total + Number(by)) } },
});

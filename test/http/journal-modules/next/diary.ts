import { defineEntity } from "genserverless";

/** The next version of a diary, which cannot strike out and has another state. */
export default defineEntity({
  name: "diary",
  version: 2,
  initial: () => ({ pages: 0 }),
  events: { written: (_page: { text: string }, { pages }) => ({ pages: pages + 1 }) },
  commands: { count: (_args, { pages }) => pages },
  upcast: { 1: ({ type, data }) => (type === "wrote" ? { type: "written", data: { text: data } } : { type, data }) },
});

import { defineActor } from "../actor.ts";

export default defineActor({ name: "trapper", trapExit: true });

import { defineActor } from "../actor.ts";

export default defineActor({ name: "forgetter", keepState: "never" });

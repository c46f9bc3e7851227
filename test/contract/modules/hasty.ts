import { defineActor } from "../actor.ts";

export default defineActor({ name: "hasty", turnTimeoutMs: 200 });

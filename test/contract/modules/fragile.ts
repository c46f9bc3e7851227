import { defineActor } from "../actor.ts";

export default defineActor({ name: "fragile", intensity: { crashes: 2, withinMs: 60_000 } });

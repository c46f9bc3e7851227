import { defineActor } from "../actor.ts";

export default defineActor({ name: "on-demand", onDemand: true });

import { defineActor } from "../actor.ts";

export default defineActor({ name: "late-writer", writePolicy: "on-passivate" });

import { defineActor } from "../actor.ts";

export default defineActor({ name: "third-writer", writePolicy: { every: { turns: 3 } } });

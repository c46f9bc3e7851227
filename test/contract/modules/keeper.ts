import { defineActor } from "../actor.ts";

export default defineActor({ name: "keeper", keepState: "always" });

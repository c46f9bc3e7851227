import { defineActor } from "../actor.ts";

export default defineActor({ name: "narrow", mailbox: { messages: 2 } });

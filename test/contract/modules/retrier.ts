import { defineActor } from "../actor.ts";

export default defineActor({ name: "retrier", retry: { attempts: 3, backoff: { type: "exponential", delay: 20 } } });

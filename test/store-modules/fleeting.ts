import { defineKeep } from "./_keep.ts";

export default defineKeep("fleeting", "cold", "never");

import { defineKeep } from "./_keep.ts";

export default defineKeep("cold", "cold");

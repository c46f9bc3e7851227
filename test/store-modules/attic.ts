import { defineKeep } from "./_keep.ts";

export default defineKeep("attic", "attic");

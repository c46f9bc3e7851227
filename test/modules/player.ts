import { definePlayer } from "../tools/player.ts";

export default definePlayer(1);

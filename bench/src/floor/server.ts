/** The least that a durable counter over HTTP can be: Express, and one script that reads, adds and writes. */

import { createHash } from "node:crypto";
import express from "express";
import { Redis } from "ioredis";

const ADD = `
local total = tonumber(redis.call("GET", KEYS[1]) or "0") + tonumber(ARGV[1])
redis.call("SET", KEYS[1], total)
return total
`;

const redis = new Redis(process.env["REDIS_URL"] ?? "redis://127.0.0.1", { connectionName: "floor" });
const sha = createHash("sha1").update(ADD).digest("hex");
await redis.script("LOAD", ADD);

const app = express();
app.disable("x-powered-by");
app.get("/health", (_request, response) => {
  response.json({ status: "up" });
});
app.post("/v1/processes/accumulator/:key/call", express.json(), async (request, response) => {
  const reply = await redis.evalsha(sha, 1, request.params.key, request.body.message.add);
  response.json({ reply });
});
app.listen(Number(process.env["PORT"]), "127.0.0.1", () => console.log("listening"));

/**
 * The web app under test: an Express app with modules mounted, which does on demand what an app should not do. `PUT /mood`
 * takes what it does to the next `times` invocations; `GET /seen` says what it was sent.
 */

import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import express, { type Request, type Response } from "express";
import { type MountOptions, mount } from "genserverless/express";
import { accumulator, counter, plain } from "./modules.ts";

interface Mood {
  kind: "well" | "error" | "hang" | "half" | "stall" | "unsigned" | "not-json" | "huge" | "reset" | "slow";
  times: number;
}

interface Invocation {
  callback: string;
  hasState: boolean;
  hasAnswers: boolean;
  headers: Request["headers"];
  body: string;
}

const { PORT, REMOTE_SECRET = "", PUSH, COLD_MS = "0" } = process.env;
const app = express().disable("x-powered-by");
const seen: Invocation[] = [];
let mood: Mood = { kind: "well", times: 0 };

app.put("/mood", express.json(), (req, res) => {
  mood = req.body as Mood;
  res.json(mood);
});
app.get("/seen", (_req, res) => void res.json({ count: seen.length, last: seen.slice(-20) }));
app.post("/genserverless", async (req, res, next) => {
  const raw = await buffer(req);
  Object.assign(req, { rawBody: raw });
  if (!req.headers["x-genserverless-signature"]) return next();
  note(req, raw.toString());
  if (mood.times <= 0) return next();
  mood.times -= 1;
  misbehave(mood.kind, req, res, next);
});
const push: Partial<MountOptions> = PUSH ? (JSON.parse(PUSH) as MountOptions) : {};
mount(app, { modules: [counter, plain, accumulator], secret: REMOTE_SECRET, ...push });

function note(req: Request, body: string): void {
  const envelope = parse(body);
  const { callback = "" } = envelope;
  seen.push({ callback, hasState: "state" in envelope, hasAnswers: "answers" in envelope, headers: req.headers, body });
}

function parse(body: string): { callback?: string } {
  try {
    return JSON.parse(body) as { callback?: string };
  } catch {
    return {};
  }
}

function misbehave(kind: Mood["kind"], req: Request, res: Response, next: () => void): void {
  if (kind === "error") res.status(500).send("oh no, https://user:hunter2@internal");
  else if (kind === "unsigned") res.json({ v: 1, kind: "ignores", asks: [], logs: [] });
  else if (kind === "not-json") res.send("<html>");
  else if (kind === "huge") res.send(Buffer.alloc(40 * 1024 * 1024, "x"));
  else if (kind === "reset") req.socket.destroy();
  else if (kind === "slow") setTimeout(next, 600);
  else if (kind === "half" || kind === "stall") {
    res.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
    res.write('{"v":1,"kind":"goes-on","state":', () => kind === "half" && req.socket.destroy());
  }
}

// A platform that scales to zero takes the connection, and keeps it waiting until the app is there.
const server = createServer((req, res) => {
  if (Date.now() >= warmAt) app(req, res);
  else setTimeout(() => app(req, res), warmAt - Date.now());
});
const warmAt = Date.now() + Number(COLD_MS);
server.listen(Number(PORT), "127.0.0.1", () => console.log(`listening on ${PORT}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)).closeAllConnections());

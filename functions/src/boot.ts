import { hostname } from "node:os";
import { readText } from "@genserverless/shared/service/env.ts";
import { Events, logEvents } from "@genserverless/shared/service/events.ts";
import { runUntilSignalled } from "@genserverless/shared/service/lifecycle.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { readFunctionsSettings } from "./config.ts";
import { FunctionsService } from "./service.ts";

try {
  const settings = readFunctionsSettings(process.env);
  const log = createLog(`functions@${readText(process.env, "NODE_NAME", hostname())}`);
  const events = new Events();
  logEvents(events, log);
  await runUntilSignalled(new FunctionsService(settings, events), (error) => log.fatal(String(error)));
} catch (error) {
  createLog("functions", {}).fatal((error as Error).message);
  process.exit(1);
}

import { leaveEarly } from "@genserverless/shared/service/lifecycle.ts";

leaveEarly();
// By itself Node would open its debugger, for whoever runs as the same user.
process.on("SIGUSR1", () => {});
await import("./boot.ts");

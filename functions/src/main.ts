import { leaveEarly } from "@genserverless/shared/service/lifecycle.ts";

leaveEarly();
await import("./boot.ts");

/** Does what a person asks of a process or a function, through the cluster's HTTP API, and says in one line how it went. */

import { type Pid, parsePid, splitPid } from "@genserverless/shared/process/pid.ts";
import { parseMessage } from "@genserverless/shared/text/message.ts";
import type { Notice } from "../view/model.ts";
import type { Act, FunctionAct } from "./keys.ts";

/** The cluster's API. It resolves whatever the status, and throws where no answer came. */
export interface Api {
  request(method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
}

const MOST_CHARACTERS = 300;

/** `value` is what was typed: a message or, of a start, arguments. */
export async function operate(api: Api, act: Act, typedPid: string, value?: string): Promise<Notice> {
  const pid = parsePid(typedPid);
  if (!pid) return { text: `a pid is module/key, not ${typedPid}`, isBad: true };
  return await tellHow(`${act} ${pid}`, () => request(api, act, pid, value));
}

/** `tick` runs the function now, `rollback` gives its project the deployment before the current one. */
export function operateFunction(api: Api, act: FunctionAct, project: string, name: string): Promise<Notice> {
  if (act === "tick")
    return tellHow(`run ${project}/${name}`, () => api.request("POST", `/ticks/${project}/${name}`, {}));
  return tellHow(`roll back ${project}`, () => api.request("POST", `/api/projects/${project}/rollback`, {}));
}

async function tellHow(what: string, ask: () => ReturnType<Api["request"]>): Promise<Notice> {
  try {
    const { status, body } = await ask();
    const isBad = status >= 400;
    return { text: `${what}: ${isBad ? describeProblem(status, body) : describeAnswer(body)}`, isBad };
  } catch (error) {
    return { text: `${what}: ${(error as Error).message}`, isBad: true };
  }
}

function request(api: Api, act: Act, pid: Pid, value: string | undefined) {
  const path = `/v1/processes/${pid}`;
  switch (act) {
    case "start":
      return api.request("POST", "/v1/processes", {
        ...splitPid(pid),
        ...(value?.trim() && { args: parseMessage(value) }),
      });
    case "call":
    case "cast":
    case "info":
      return api.request("POST", `${path}/${act}`, { message: parseMessage(value ?? "null") });
    case "skip":
      return api.request("POST", `${path}/mailbox/skip`, {});
    case "retry":
      return api.request("POST", `${path}/dead-letters/retry`, {});
    case "drop":
      return api.request("DELETE", `${path}/dead-letters`);
    default:
      return api.request("POST", `${path}/${act}`, {});
  }
}

function describeAnswer(body: unknown): string {
  const text = JSON.stringify(body) ?? "done";
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}

/** In one line. */
export function describeProblem(status: number, body: unknown): string {
  const { code, detail, message, title } = (body ?? {}) as Record<string, string | undefined>;
  return [status, code, detail ?? message ?? title].filter((word) => word !== undefined).join(" ");
}

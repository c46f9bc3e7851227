/** Does what a person asks of a process, through the cluster's HTTP API, and says in one line how it went. */

import { isPidPart, splitPid } from "@genserverless/shared/process/pid.ts";
import type { Notice } from "../view/model.ts";
import type { Act } from "./keys.ts";

/** The cluster's API. It resolves whatever the status, and throws where no answer came. */
export interface Api {
  request(method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
}

const MOST_CHARACTERS = 300;

/** `value` is what was typed: a message as JSON – a word that is no JSON is a text – or, of a start, arguments. */
export async function operate(api: Api, act: Act, pid: string, value?: string): Promise<Notice> {
  const { module, key } = splitPid(pid);
  if (!isPidPart(module) || !isPidPart(key)) return { text: `a pid is module/key, not ${pid}`, isBad: true };
  try {
    const { status, body } = await request(api, act, module, key, value);
    const isBad = status >= 400;
    return { text: `${act} ${pid}: ${isBad ? describeProblem(status, body) : describeAnswer(body)}`, isBad };
  } catch (error) {
    return { text: `${act} ${pid}: ${(error as Error).message}`, isBad: true };
  }
}

function request(api: Api, act: Act, module: string, key: string, value: string | undefined) {
  const path = `/v1/processes/${module}/${key}`;
  switch (act) {
    case "start":
      return api.request("POST", "/v1/processes", { module, key, ...(value?.trim() && { args: readMessage(value) }) });
    case "call":
    case "cast":
    case "info":
      return api.request("POST", `${path}/${act}`, { message: readMessage(value ?? "null") });
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

export function readMessage(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function describeAnswer(body: unknown): string {
  const text = JSON.stringify(body) ?? "done";
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}

function describeProblem(status: number, body: unknown): string {
  const { code, detail, title } = (body ?? {}) as { code?: string; detail?: string; title?: string };
  return `${status} ${code ?? ""} ${detail ?? title ?? ""}`.trim();
}

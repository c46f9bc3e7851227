/**
 * A git host tells of a push: the projects of that repository and branch fetch it and deploy. Whoever tells proves that by
 * signing the body, as GitHub, Gitea and Forgejo do (`X-Hub-Signature-256`, HMAC-SHA256).
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import { toProjectPid } from "@genserverless/shared/functions/processes.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import { z } from "zod";
import type { Project, ProjectsReader } from "../functions/projects.ts";
import type { Input } from "../request/input.ts";
import type { Answer } from "../respond.ts";
import { PushAccepted } from "./functions-schemas.ts";
import { REFUSED_POST } from "./messaging.ts";
import { defineRoute, type Route } from "./route.ts";

export interface WebhookParts {
  messenger: Messenger;
  projects: ProjectsReader;
  secret: string | undefined;
}

const MOST_BYTES = 25 * 1024 * 1024;

const Push = z.object({
  ref: z.string(),
  deleted: z.boolean().optional(),
  repository: z.object({
    default_branch: z.string().optional(),
    clone_url: z.string().optional(),
    ssh_url: z.string().optional(),
    html_url: z.string().optional(),
    git_url: z.string().optional(),
  }),
});

export function webhookRoutes(parts: WebhookParts): Route[] {
  return [
    defineRoute<Buffer, unknown>({
      method: "post",
      path: "/api/webhooks",
      name: "takeWebhook",
      summary: "A git host's push event, signed with FUNCTIONS_WEBHOOK_SECRET: its projects deploy what was pushed",
      isPublic: true,
      readBody: (bytes) => bytes,
      mostBodyBytes: MOST_BYTES,
      answers: { 202: { description: "These projects will fetch it", schema: PushAccepted } },
      problems: [...REFUSED_POST, "unauthorized", "functions_unavailable", "no_workers", "unknown_module"],
      handle: (input) => take(parts, input),
    }),
  ];
}

async function take({ messenger, projects, secret }: WebhookParts, { body, headers }: Input<Buffer>): Promise<Answer> {
  if (secret === undefined) {
    throw new ClusterError("functions_unavailable", "FUNCTIONS_WEBHOOK_SECRET is not set on this api");
  }
  if (!isSigned(body, headers["x-hub-signature-256"], secret)) {
    throw new ClusterError("unauthorized", "X-Hub-Signature-256 must be sha256= and the body's HMAC in hexadecimal");
  }
  const push = readPush(body, headers["x-github-event"] ?? headers["x-gitea-event"]);
  const meant = push ? (await projects.list()).filter((project) => isMeant(project, push)) : [];
  // A delivery that somebody has repeated is to be fetched again: it may be that the first could not be built.
  for (const { name } of meant) await messenger.cast(toProjectPid(name), "fetch", { delayMs: 0 });
  return { status: 202, json: { projects: meant.map(({ name }) => name) } };
}

function isSigned(body: Buffer, given: unknown, secret: string): boolean {
  const expected = Buffer.from(`sha256=${createHmac("sha256", secret).update(body).digest("hex")}`);
  return typeof given === "string" && given.length === expected.length && timingSafeEqual(Buffer.from(given), expected);
}

/** Undefined where it is another event, or what was pushed is gone. */
function readPush(body: Buffer, event: unknown): z.infer<typeof Push> | undefined {
  if (event !== undefined && event !== "push") return undefined;
  let json: unknown;
  try {
    json = JSON.parse(body.toString());
  } catch (error) {
    throw new ClusterError("invalid_json", (error as Error).message);
  }
  const { data, error } = Push.safeParse(json);
  if (!data) throw new ClusterError("invalid_request", `the push event: ${z.prettifyError(error)}`);
  return data.deleted ? undefined : data;
}

/** Of that repository, and deploying what was pushed. */
function isMeant({ repository, ref }: Project, { ref: pushed, repository: told }: z.infer<typeof Push>): boolean {
  const wanted = ref ?? told.default_branch;
  if (wanted === undefined || ![`refs/heads/${wanted}`, `refs/tags/${wanted}`].includes(pushed)) return false;
  const urls = [told.clone_url, told.ssh_url, told.html_url, told.git_url];
  return urls.some((url) => url !== undefined && identify(url) === identify(repository));
}

/** Host and path, whatever the protocol and the user: `git@host:user/repo.git` is `https://host/user/repo`. */
function identify(url: string): string {
  const scp = /^[\w.-]+@([\w.-]+):(?!\/\/)(.*)$/.exec(url);
  const { host, pathname } = scp
    ? { host: scp[1] ?? "", pathname: `/${scp[2]}` }
    : URL.canParse(url)
      ? new URL(url)
      : { host: "", pathname: url };
  return `${host}${pathname}`
    .toLowerCase()
    .replace(/\/+$/, "")
    .replace(/\.git$/, "");
}

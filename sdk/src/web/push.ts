/**
 * A message queue's push, in the shape of Google Pub/Sub and of GenServerless (GS-10): start, cast and stop become the
 * cluster's verbs. A push that is delivered twice is done once, where the queue gives its messages an id.
 *
 * What the cluster refuses for good is handled: pushed again it would be refused again. What may work later is answered 503.
 */

import { type Client, createClient, ProblemError } from "../client.ts";
import { isPidPart } from "../runtime/limits.ts";
import { firstLineOf } from "../runtime/turn-errors.ts";
import { isExternalTerm, readExternalTerm } from "./external-term.ts";
import { areEqual } from "./signature.ts";

export interface PushOptions {
  /** Where the cluster's api is, e.g. `http://127.0.0.1:8080`. Without it no push is taken. */
  cluster?: string;
  /** The api's token, where it has one. */
  apiToken?: string;
  /** What a push has to bring as `?token=`. */
  token?: string;
  /** Takes pushes from anybody. */
  allowUnsignedPush?: boolean;
  /** The module of a name that is no pid. */
  defaultModule?: string;
}

export type PushVerdict = "handled" | "unrecognized" | { status: number; code: string; detail: string };

type Warn = (fields: Record<string, unknown>, text: string) => void;

interface Push {
  verb: (typeof VERBS)[number];
  name: string;
  /** "" where there is none. */
  data: string;
  /** The queue's own. */
  id: string | undefined;
}

const MESSAGE_ID = /^[\x21-\x7e]{1,200}$/;
const VERBS = ["start", "ready", "cast", "stop"] as const;
/** Of refusals that pass: a token is put right, there is room again. */
const PASSING_STATUSES = [401, 403, 429];

export class PushDoor {
  readonly #options: PushOptions;
  readonly #client: Client | undefined;
  readonly #warn: Warn;

  /** Throws TypeError for a `cluster` that is no URL. */
  constructor(options: PushOptions, warn: Warn) {
    const { cluster: url, apiToken } = options;
    this.#options = options;
    this.#warn = warn;
    this.#client =
      url === undefined ? undefined : createClient({ url, ...(apiToken !== undefined && { token: apiToken }) });
  }

  async take(body: unknown, target: string): Promise<PushVerdict> {
    const push = readPush(body);
    if (!push) return "unrecognized";
    const refusal = this.refuse(target);
    if (refusal) return { status: 401, code: "push_unauthorized", detail: refusal };
    if (!this.#client) {
      return { status: 503, code: "push_not_configured", detail: "the app was mounted without the option cluster" };
    }
    try {
      await this.#do(this.#client, push);
    } catch (error) {
      return this.#judge(push, error);
    }
    return "handled";
  }

  /** Why no push is taken from who sends to this path with its query. */
  refuse(target: string): string | undefined {
    const { token, allowUnsignedPush = false } = this.#options;
    if (!token) {
      return allowUnsignedPush ? undefined : "the app was mounted without the option token, or allowUnsignedPush";
    }
    const [, query = ""] = target.split(/\?(.*)/s);
    const given = new URLSearchParams(query).get("token");
    if (given === null) return "?token= is missing";
    return areEqual(given, token) ? undefined : "?token= is wrong";
  }

  async #do(client: Client, { verb, name, data, id }: Push): Promise<void> {
    // A process starts by itself.
    if (verb === "ready") return;
    const [module, key] = this.#toPid(name);
    const pid = `${module}/${key}`;
    const content = data === "" ? null : readData(data);
    const options = id === undefined ? {} : { idempotencyKey: `push-${id}` };
    if (verb === "start") {
      await client.start(module, { key, args: content }, options);
    } else if (verb === "cast") {
      await client.cast(pid, content, options);
    } else {
      await client.stop(pid, typeof content === "string" && content !== "" ? content : undefined, options);
    }
  }

  #toPid(name: string): [module: string, key: string] {
    const { defaultModule } = this.#options;
    const [module, key, ...more] = name.includes("/") ? name.split("/") : [defaultModule, name];
    if (isPidPart(module) && isPidPart(key) && more.length === 0) return [module, key];
    throw new RefusedPush("the name is no pid, and no key of the option defaultModule");
  }

  #judge({ verb, name }: Push, error: unknown): PushVerdict {
    const detail = firstLineOf(error);
    if (!isFinal(error)) {
      this.#warn({ verb, name, detail }, "a push could not be done yet");
      return { status: 503, code: "push_undone", detail: "the cluster cannot do it now" };
    }
    this.#warn({ verb, name, detail }, "a push was refused by the cluster");
    return "handled";
  }
}

/** It would be refused again. */
class RefusedPush extends Error {}

function isFinal(error: unknown): boolean {
  if (!(error instanceof ProblemError)) return error instanceof RefusedPush;
  const { status, code } = error;
  // A module that is unknown may be one of an app that the cluster has not reached yet, such as this one.
  return status >= 400 && status < 500 && !PASSING_STATUSES.includes(status) && code !== "unknown_module";
}

function readPush(body: unknown): Push | undefined {
  const message = fieldsOf(fieldsOf(body)["message"]);
  const { v, e, n } = fieldsOf(message["attributes"]);
  const { data = "", messageId } = message;
  const verb = VERBS.find((known) => known === e);
  if (v !== "1" || typeof n !== "string" || n === "" || verb === undefined) return undefined;
  if (typeof data !== "string") return undefined;
  const id = typeof messageId === "string" && MESSAGE_ID.test(messageId) ? messageId : undefined;
  return { verb, name: n, data, id };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** Base64 of JSON, or of an external term, or, as GenServerless has it, of the base64 of one. */
function readData(data: string): unknown {
  const bytes = Buffer.from(data, "base64");
  try {
    if (isExternalTerm(bytes)) return readExternalTerm(bytes);
    const text = bytes.toString();
    // What begins with 131 begins with g in base64, and JSON does not.
    return text.startsWith("g") ? readExternalTerm(Buffer.from(text, "base64")) : JSON.parse(text);
  } catch (error) {
    throw new RefusedPush(`data is neither JSON nor a plain term: ${firstLineOf(error)}`);
  }
}

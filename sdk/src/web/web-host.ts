/**
 * Modules in a web app: the one endpoint at which a cluster's workers run their callbacks. It knows nothing of a web
 * framework; express.ts and fetch.ts fit it to theirs.
 *
 * A GET answers the manifest, a POST with a signature runs a callback, and one without is taken for a push message (GS-10).
 * What is neither is answered 200 and logged, as GenServerless does (GS-9).
 */

import type { ServerModule } from "../server-module.ts";
import { describeModules, readMounted } from "./manifest.ts";
import { PushDoor, type PushOptions } from "./push.ts";
import { readEnvelope } from "./read-envelope.ts";
import { runEnvelope } from "./run-envelope.ts";
import { RequestCheck, signAnswer } from "./signature.ts";
import { StateCache, type StateCacheOptions } from "./state-cache.ts";
import { type Envelope, HEADERS, MOST_BODY_BYTES } from "./wire.ts";

export interface WebHostOptions extends PushOptions {
  modules: readonly unknown[];
  /** Shared with the cluster, its REMOTE_SECRET; at least 16 characters. */
  secret: string;
  /** What of its processes' states the app keeps at hand. */
  cache?: StateCacheOptions;
  /** Told of what is wrong with a request; `console.warn` unless given. */
  log?: (fields: Record<string, unknown>, text: string) => void;
}

export interface WebRequest {
  method: string;
  /** The path as the client sent it, with its query. */
  target: string;
  /** By lower-case name. */
  header(name: string): string | undefined;
  body: Buffer;
}

export interface WebAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export { MOST_BODY_BYTES };

const LEAST_SECRET = 16;
/** Of a body that comes with neither a signature nor the token of a push: it is only logged, or refused by name. */
const MOST_STRANGE_BYTES = 1024 * 1024;
const HANDLED: WebAnswer = {
  status: 200,
  headers: { "content-type": "text/plain; charset=utf-8" },
  body: "GenServerless handled\n",
};
const SEEN = 200;

export class WebHost {
  readonly #modules: ReadonlyMap<string, ServerModule>;
  readonly #secret: string;
  readonly #check: RequestCheck;
  readonly #states: StateCache;
  readonly #push: PushDoor;
  readonly #log: NonNullable<WebHostOptions["log"]>;

  /** Throws TypeError, which names the option. */
  constructor({ modules, secret, cache, log = warn, ...push }: WebHostOptions) {
    if (typeof secret !== "string" || secret.length < LEAST_SECRET) {
      throw new TypeError(`secret: there must be one, of at least ${LEAST_SECRET} characters`);
    }
    this.#modules = readMounted(modules);
    this.#secret = secret;
    this.#check = new RequestCheck(secret);
    this.#states = new StateCache(cache);
    this.#log = log;
    this.#push = new PushDoor(push, log);
  }

  /** Never rejects. */
  async handle(request: WebRequest): Promise<WebAnswer> {
    const { method, target, header, body } = request;
    const isSigned = header(HEADERS.signature) !== undefined;
    const most = isSigned || this.#push.refuse(target) === undefined ? MOST_BODY_BYTES : MOST_STRANGE_BYTES;
    if (body.length > most) return problem(413, "too_large", `at most ${most} bytes`);
    if (method === "GET" || isSigned) return await this.#handleSigned(request);
    if (method !== "POST") return problem(405, "method_not_allowed", "the endpoint takes GET and POST", "GET, POST");
    return await this.#handleOther(request);
  }

  async #handleSigned(request: WebRequest): Promise<WebAnswer> {
    const fault = this.#check.findFault(request, request.header);
    if (fault) {
      this.#log({ method: request.method, fault }, "a request was refused");
      return problem(401, fault, `the request is not signed as it should be: ${fault.replace("signature_", "")}`);
    }
    const answer = await this.#answer(request);
    const nonce = request.header(HEADERS.nonce) ?? "";
    const signature = signAnswer(this.#secret, nonce, answer.status, answer.body);
    return { ...answer, headers: { ...answer.headers, [HEADERS.signature]: signature } };
  }

  async #answer({ method, header, body }: WebRequest): Promise<WebAnswer> {
    if (method === "GET") return json(200, JSON.stringify(describeModules(this.#modules.values())));
    const parsed = parseJson(body);
    if (!parsed) return problem(400, "malformed_json", "the body is not JSON");
    const envelope = readEnvelope(parsed.value);
    if ("fault" in envelope) return problem(400, "invalid_envelope", envelope.fault);
    return await this.#run(envelope, header(HEADERS.deadlineMs));
  }

  async #run(envelope: Envelope, deadline: string | undefined): Promise<WebAnswer> {
    const { pid, version, stateTag, state } = envelope;
    const module = this.#modules.get(envelope.module);
    if (!module) return problem(404, "unknown_module", `there is no module ${envelope.module}`);
    if (module.version !== version) {
      return problem(409, "other_version", `${module.name} is of version ${module.version}`);
    }
    let stateText = state === undefined ? undefined : JSON.stringify(state);
    if (stateTag !== undefined && stateText === undefined) {
      stateText = this.#states.find(pid, stateTag);
      if (stateText === undefined) return problem(409, "state_missing", "the state is not here; send it");
    }
    const leftMs = Math.min(Number(deadline) || module.turnTimeoutMs, module.turnTimeoutMs);
    const outcome = await runEnvelope({ module, envelope, stateText, leftMs });
    const tag = outcome.stateText === undefined ? "" : this.#states.keep(pid, outcome.stateText);
    return json(200, outcome.write(tag));
  }

  async #handleOther({ target, body }: WebRequest): Promise<WebAnswer> {
    const parsed = parseJson(body);
    if (!parsed) return problem(400, "malformed_json", "the body is not JSON");
    if (isEnvelopeLike(parsed.value)) {
      this.#log({ fault: "signature_missing" }, "a request was refused");
      return problem(401, "signature_missing", "the request is not signed");
    }
    const verdict = await this.#push.take(parsed.value, target);
    if (verdict === "handled") return HANDLED;
    if (verdict === "unrecognized") {
      this.#log({ body: body.subarray(0, SEEN).toString() }, "unrecognized message");
      return HANDLED;
    }
    return problem(verdict.status, verdict.code, verdict.detail);
  }
}

export function problem(status: number, code: string, detail: string, allow?: string): WebAnswer {
  const body = JSON.stringify({ type: "about:blank", title: code, status, code, detail });
  return { status, headers: { "content-type": "application/problem+json", ...(allow && { allow }) }, body };
}

function json(status: number, body: string): WebAnswer {
  return { status, headers: { "content-type": "application/json" }, body };
}

function parseJson(body: Buffer): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(body.toString()) };
  } catch {
    return undefined;
  }
}

function isEnvelopeLike(value: unknown): boolean {
  return typeof value === "object" && value !== null && "v" in value && "callback" in value;
}

function warn(fields: Record<string, unknown>, text: string): void {
  console.warn(`genserverless: ${text} ${JSON.stringify(fields)}`);
}

/**
 * Who may do what. The console is closed: a request that asks for anything but the counts carries a token or a session.
 *
 *   nothing      the counts, where they are open: the listener is on loopback, and so is the name that it was called by
 *   read         process lists, states, logs
 *   act          everything that changes something
 *
 * A token comes as `Authorization: Bearer`, from scripts; a session as a cookie, from browsers, which send it by
 * themselves. So whatever acts must also come from the console's own page: the browser says where a request comes from, in
 * `Sec-Fetch-Site` or `Origin`, and one with a cookie and without either is refused. A missing or old token is 401, a
 * token without the scope and a request from another site are 403. Who guesses is soon told to wait, but whoever has a
 * token is never kept out by that: a token is too long to be guessed.
 *
 * What goes on after its first answer – a stream – is identified once, when it opens. From then on only its session can end.
 */

import type { Request, RequestHandler, Response } from "express";
import { AttemptLimit } from "./attempt-limit.ts";
import { Problem } from "./problems.ts";
import { isSame, type Scope, type Session, Sessions } from "./sessions.ts";
import type { Tokens } from "./tokens.ts";

export interface AccessOptions {
  tokens: Pick<Tokens, "act" | "read">;
  /** Whether the counts are shown to whoever reaches the listener by a loopback name. */
  hasOpenCounts: boolean;
  sessions?: Sessions;
}

export interface Identity {
  scope: Scope;
  /** Absent where a token was sent. */
  session?: Session;
}

const LOOPBACK_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;
const SAFE_METHODS = ["GET", "HEAD"];

export class Access {
  readonly #options: AccessOptions;
  readonly #sessions: Sessions;
  readonly #signIns = new AttemptLimit();
  readonly #bearers = new AttemptLimit();

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#sessions = options.sessions ?? new Sessions();
  }

  /** Undefined without a valid token or session. Throws where the token is wrong, and an address was so too often. */
  identify(request: Request): Identity | undefined {
    const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
    if (bearer !== undefined) {
      const scope = this.#tryToken(bearer, request, this.#bearers);
      return scope && { scope };
    }
    const session = this.#readSession(request);
    return session && { scope: session.scope, session };
  }

  seesCounts({ headers: { host = "" } }: Request, identity: Identity | undefined): boolean {
    return identity !== undefined || (this.#options.hasOpenCounts && LOOPBACK_NAME.test(host));
  }

  /** Who wants to see the counts: undefined where they are open. Throws where they are not. */
  demandCounts(request: Request): Identity | undefined {
    const identity = this.identify(request);
    if (!this.seesCounts(request, identity)) throw unauthorized();
    return identity;
  }

  /** Throws where the request has not the scope. */
  demand(request: Request, scope: Scope): Identity {
    const identity = this.identify(request);
    if (!identity) throw unauthorized();
    if (!SAFE_METHODS.includes(request.method)) refuseOtherSites(request, identity.session !== undefined);
    if (scope === "act" && identity.scope !== "act") throw new Problem("forbidden");
    return identity;
  }

  /** Whether somebody who was identified still is who they were: their session has not ended. */
  isLasting({ session }: Identity): boolean {
    return session === undefined || this.#sessions.isLasting(session);
  }

  /** Lets through who has the scope. */
  require(scope: Scope): RequestHandler {
    return (request, _response, next) => {
      this.demand(request, scope);
      next();
    };
  }

  /** Reading takes `read`, everything else `act`. */
  readonly byMethod: RequestHandler = (request, _response, next) => {
    this.demand(request, SAFE_METHODS.includes(request.method) ? "read" : "act");
    next();
  };

  /** Sets the cookie of a new session. Throws where the token is wrong. */
  signIn(request: Request, response: Response, token: string): Scope {
    refuseOtherSites(request, true);
    const scope = this.#tryToken(token, request, this.#signIns);
    if (!scope) throw new Problem("unauthorized", "The token is wrong");
    const { lifeMs } = this.#sessions;
    response.cookie(cookieName(request), this.#sessions.begin(scope), { ...cookieFor(request), maxAge: lifeMs });
    return scope;
  }

  signOut(request: Request, response: Response): void {
    refuseOtherSites(request, true);
    const session = this.#readSession(request);
    if (session) this.#sessions.end(session);
    response.clearCookie(cookieName(request), cookieFor(request));
  }

  #tryToken(token: string, request: Request, limit: AttemptLimit): Scope | undefined {
    const { act, read } = this.#options.tokens;
    const isAct = isSame(token, act);
    const isRead = read !== undefined && isSame(token, read);
    if (isAct) return "act";
    if (isRead) return "read";
    const waitS = limit.fail(request.socket.remoteAddress ?? "");
    if (waitS > 0) throw new Problem("too_many_attempts", undefined, { "retry-after": String(waitS) });
    return undefined;
  }

  #readSession(request: Request): Session | undefined {
    const name = cookieName(request);
    const cookies = (request.headers.cookie ?? "").split("; ").filter((text) => text.startsWith(`${name}=`));
    return cookies.map((text) => this.#sessions.find(text.slice(name.length + 1))).find(Boolean);
  }
}

function unauthorized(): Problem {
  return new Problem("unauthorized", undefined, { "www-authenticate": 'Bearer realm="sysmon"' });
}

/** Over TLS, which something before sysmon ends, the cookie never leaves by plain HTTP. */
function cookieFor({ headers }: Request) {
  const isSecure =
    /^https:/i.test(headers.origin ?? "") || /^https\b/i.test(String(headers["x-forwarded-proto"] ?? ""));
  return { httpOnly: true, sameSite: "strict", path: "/", secure: isSecure } as const;
}

/** Browsers keep one jar for all ports of a host: two clusters' consoles must not sign each other out. */
function cookieName({ headers }: Request): string {
  return `genserverless-console-${/:(\d+)$/.exec(headers.host ?? "")?.[1] ?? "80"}`;
}

/** `mustSay` refuses also what does not say where it comes from. */
function refuseOtherSites({ headers }: Request, mustSay: boolean): void {
  const site = headers["sec-fetch-site"];
  const origin = headers.origin;
  if (site !== undefined && site !== "same-origin") throw new Problem("cross_site");
  if (origin !== undefined && !isOwnOrigin(origin, headers.host)) throw new Problem("cross_site");
  if (mustSay && site === undefined && origin === undefined) throw new Problem("cross_site");
}

function isOwnOrigin(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}

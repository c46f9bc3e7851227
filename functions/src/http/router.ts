/** Which route a request is for: by method and path, whose segments may be named. */

import { Problem } from "../problems.ts";

export interface Match<Handler> {
  handler: Handler;
  params: Record<string, string>;
}

interface Route<Handler> {
  method: string;
  segments: string[];
  handler: Handler;
}

export class Router<Handler> {
  readonly #routes: Route<Handler>[] = [];

  /** A path such as `/v1/builds/{id}/log`. */
  add(method: string, path: string, handler: Handler): this {
    this.#routes.push({ method, segments: path.split("/"), handler });
    return this;
  }

  /** Throws `unknown_route`, `method_not_allowed`. */
  match(method: string, path: string): Match<Handler> {
    const segments = path.split("/").map(decode);
    const fitting = this.#routes.filter((route) => fits(route.segments, segments));
    const route = fitting.find((one) => one.method === method);
    if (route) return { handler: route.handler, params: readParams(route.segments, segments) };
    if (fitting.length === 0) throw new Problem("unknown_route", `there is no route ${path.slice(0, 200)}`);
    throw new Problem("method_not_allowed", `this route takes ${fitting.map((one) => one.method).join(", ")}`);
  }
}

function fits(route: string[], given: string[]): boolean {
  return route.length === given.length && route.every((segment, i) => isNamed(segment) || segment === given[i]);
}

function readParams(route: string[], given: string[]): Record<string, string> {
  const named = route.flatMap((segment, i) => (isNamed(segment) ? [[segment.slice(1, -1), given[i] ?? ""]] : []));
  return Object.fromEntries(named);
}

function isNamed(segment: string): boolean {
  return segment.startsWith("{");
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Problem("unknown_route", "the path is not well encoded");
  }
}

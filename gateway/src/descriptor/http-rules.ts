/** The google.api.http rules of a method: which HTTP requests it answers. */

export interface HttpRule {
  /** `GET`, or `*` for any. */
  method: string;
  /** e.g. `/cart/{user_id}/items/add`. */
  path: string;
  /** The field that the body is: `*` for all that the path does not name, "" for none. */
  body: string;
  /** The field of the response that is answered; "" for all of it. */
  responseBody: string;
}

interface RuleProto {
  get?: string;
  put?: string;
  post?: string;
  delete?: string;
  patch?: string;
  custom?: { kind: string; path: string } | null;
  body?: string;
  responseBody?: string;
  additionalBindings?: RuleProto[];
}

const METHODS = ["get", "put", "post", "delete", "patch"] as const;

/** None where the option is absent. Bindings within additional bindings do not count, as the rule's own text says. */
export function readHttpRules(option: object | null | undefined): HttpRule[] {
  if (!option) return [];
  const rule = option as RuleProto;
  return [rule, ...(rule.additionalBindings ?? [])].flatMap(readPattern);
}

function readPattern({ custom, body = "", responseBody = "", ...rule }: RuleProto): HttpRule[] {
  if (custom) return [{ method: custom.kind.toUpperCase(), path: custom.path, body, responseBody }];
  const method = METHODS.find((name) => rule[name]);
  return method ? [{ method: method.toUpperCase(), path: rule[method] ?? "", body, responseBody }] : [];
}

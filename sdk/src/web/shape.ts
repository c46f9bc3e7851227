/** Says of a value from elsewhere whether it has a shape: the app of what a worker sent, the worker of what an app answered. */

export type Test = (value: unknown) => boolean;
export type Shape = Readonly<Record<string, Test>>;

export const isText: Test = (value) => typeof value === "string";
export const isWord: Test = (value) => typeof value === "string" && value !== "";
export const isAnything: Test = (value) => value !== undefined;
export const isObject: Test = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
export const isTime: Test = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
export const isCount: Test = (value) => Number.isSafeInteger(value) && Number(value) >= 1;

export function isOneOf(...values: readonly unknown[]): Test {
  return (value) => values.includes(value);
}

export function optional(test: Test): Test {
  return (value) => value === undefined || test(value);
}

export function listOf(test: Test, most = 200_000): Test {
  return (value) => Array.isArray(value) && value.length <= most && value.every(test);
}

/** An object with these fields and no other. */
export function record(shape: Shape): Test {
  return (value) => findFault(value, shape) === undefined;
}

/** One of these, told by the field. */
export function variant(field: string, shapes: Readonly<Record<string, Shape>>): Test {
  const known = new Map(Object.entries(shapes).map(([name, shape]) => [name, { ...shape, [field]: isText }]));
  return (value) => {
    const shape = isObject(value) ? known.get(String((value as Record<string, unknown>)[field])) : undefined;
    return shape !== undefined && findFault(value, shape) === undefined;
  };
}

/** The first field that is wrong, or that there should not be; "" where it is no object. */
export function findFault(value: unknown, shape: Shape): string | undefined {
  if (!isObject(value)) return "";
  const fields = value as Record<string, unknown>;
  for (const [name, test] of Object.entries(shape)) {
    if (!test(Object.hasOwn(fields, name) ? fields[name] : undefined)) return name;
  }
  return Object.keys(fields).find((name) => !Object.hasOwn(shape, name));
}

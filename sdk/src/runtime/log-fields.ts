/** The fields of a line that a module logs. */

/** What the cluster itself says of each line. */
const OURS: ReadonlySet<string> = new Set(["id", "time", "level", "node", "pid", "module", "fields"]);

/** The process's pid and the module's fields; those that have a name of the cluster's lie below `fields`. */
export function toLogFields(pid: string, given: object): Record<string, unknown> {
  const fields: Record<string, unknown> = { pid };
  const nested: Record<string, unknown> = {};
  for (const [name, value] of Object.entries({ ...given })) (OURS.has(name) ? nested : fields)[name] = value;
  return Object.keys(nested).length === 0 ? fields : { ...fields, fields: nested };
}

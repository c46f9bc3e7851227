/** The lines that tell what goes through the protocol: on stderr, where the environment's DEBUG asks for them. */

/** The second spelling is the one that a much-read document has. */
const NAMES = ["stateserve-event-sourcing", "stateserv-event-sourcing"];

export type DebugLog = (line: string) => void;

/** DEBUG is a list of names, with * for any rest, as other programs have it. */
export function openDebugLog(setting = process.env["DEBUG"] ?? ""): DebugLog {
  const patterns = setting.split(/[\s,]+/).filter(Boolean);
  const name = NAMES.find((known) => patterns.some((pattern) => matches(pattern, known)));
  if (!name) return () => undefined;
  return (line) => process.stderr.write(`${name} ${onOneLine(line)}\n`);
}

/** Entities have the names that callers give them. */
function onOneLine(line: string): string {
  return line.replaceAll("\n", "\\n").replaceAll("\r", "\\r");
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

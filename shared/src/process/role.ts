/** What a node is for. */

export type Role = "api" | "worker" | "gateway" | "sysmon";

/** Whether nodes of this role run processes: what follows for workers follows for them. */
export function runsProcesses(role: string): boolean {
  return role === "worker" || role === "gateway";
}

/** The role in a session's name, `<role>@<name>#<boot>`. */
export function roleOfSession(session: string): string {
  return session.slice(0, session.indexOf("@"));
}

/** Ends a child that leads a group, and all that it has started and not moved out of it. */
export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // They have ended.
  }
}

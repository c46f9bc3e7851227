/**
 * Everything that lives has `start` and `stop`. This one runs a service's parts: it starts them in order and stops them
 * in reverse, once, whichever of SIGTERM, SIGINT or a failed start comes first. Stop is safe twice and without start.
 */

export interface Part {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export class Lifecycle implements Part {
  readonly #parts: Part[];
  readonly #started: Part[] = [];
  #stopping: Promise<void> | undefined;

  constructor(parts: Part[]) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    for (const part of this.#parts) {
      if (this.#stopping) return;
      this.#started.push(part);
      await part.start();
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopStarted();
    return this.#stopping;
  }

  async #stopStarted(): Promise<void> {
    for (const part of this.#started.reverse()) await part.stop();
  }
}

const exitAtOnce = () => process.exit(0);

/** Until a service has been loaded there is nothing to stop: a signal ends it at once, and cleanly. */
export function leaveEarly(): void {
  process.on("SIGTERM", exitAtOnce).on("SIGINT", exitAtOnce);
}

/**
 * Runs a service as this operating-system process: start, then wait for SIGTERM or SIGINT, stop, exit 0. A failed start
 * is told through `report` and exits 1. A second signal while stopping ends the process at once.
 */
export async function runUntilSignalled(service: Part, report: (error: unknown) => void): Promise<void> {
  let signalled = false;
  const leave = () => {
    if (signalled) process.exit(1);
    signalled = true;
    service.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        report(error);
        process.exit(1);
      },
    );
  };
  // In this order: a signal that came while the service was loaded is lost with its last listener.
  process.on("SIGTERM", leave).on("SIGINT", leave);
  process.off("SIGTERM", exitAtOnce).off("SIGINT", exitAtOnce);
  try {
    await service.start();
  } catch (error) {
    if (signalled) return;
    report(error);
    await service.stop().catch(report);
    process.exit(1);
  }
}

import { parseArgs } from "node:util";
import { WORKLOADS, type WorkloadName } from "./workloads.ts";

export interface BenchArguments {
  workloads: WorkloadName[];
  seconds: number;
  rounds: number;
  processes: number;
  timers: number;
  json: string;
  isHelp: boolean;
}

export class UsageError extends Error {
  override name = "UsageError";
}

const DEFAULTS = { seconds: "10", rounds: "3", processes: "20000", timers: "10000", json: "bench/results/latest.json" };

export const USAGE = `npm run bench -- [W1] [W2] [W3] [W4] [W5] [W6] [W7] [W8] [W9] [W10] [options]

Measures the cluster and the floor (load balancer, Express, one Redis script) in turns, and checks every counter.
W6 to W9 measure the cluster alone, against its own casts over HTTP and its own calls.
Without a name, all of them:

${Object.entries(WORKLOADS)
  .map(([name, text]) => `  ${name}  ${text}`)
  .join("\n")}

  --seconds N     length of one measurement of W1 to W3, W6 and W8 to W10 (${DEFAULTS.seconds})
  --rounds N      rounds of all but W5, of which the medians count (${DEFAULTS.rounds})
  --processes N   processes of W4 and W5 (${DEFAULTS.processes})
  --timers N      timers of W7, ten to a process (${DEFAULTS.timers})
  --json PATH     where the figures go (${DEFAULTS.json})
  --help          this text

Settings of the environment: API_REPLICAS 1, WORKER_REPLICAS 1 (2 where W7 kills one), APPENDFSYNC everysec.
`;

export function parseArguments(args: readonly string[]): BenchArguments {
  const { values, positionals } = parse(args);
  const unknown = positionals.find((name) => !Object.hasOwn(WORKLOADS, name));
  if (unknown !== undefined) throw new UsageError(`there is no workload ${JSON.stringify(unknown)}`);
  const named = (Object.keys(WORKLOADS) as WorkloadName[]).filter((name) => positionals.includes(name));
  return {
    workloads: named.length > 0 ? named : (Object.keys(WORKLOADS) as WorkloadName[]),
    seconds: readCount("--seconds", values.seconds, 3_600),
    rounds: readCount("--rounds", values.rounds, 100),
    processes: readCount("--processes", values.processes, 1_000_000),
    timers: readCount("--timers", values.timers, 100_000),
    json: values.json,
    isHelp: values.help,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        seconds: { type: "string", default: DEFAULTS.seconds },
        rounds: { type: "string", default: DEFAULTS.rounds },
        processes: { type: "string", default: DEFAULTS.processes },
        timers: { type: "string", default: DEFAULTS.timers },
        json: { type: "string", default: DEFAULTS.json },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function readCount(option: string, text: string, most: number): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > most) {
    throw new UsageError(`${option} must be a whole number from 1 to ${most}, not ${JSON.stringify(text)}`);
  }
  return count;
}

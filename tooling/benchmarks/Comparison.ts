/** Two ways to do the same, measured in turns, A B A B, so that what slows the machine down slows both. */
import process from "node:process";
import type { ServerCpu } from "./ServerCpu.ts";

/** One way to do something. */
export interface Arm {
  readonly name: string;
  /** Does it once, and answers how many units (steps, calls, starts) were done. */
  readonly round: () => Promise<number>;
}

/** What is compared with what, and which ratio is wanted. */
export interface Comparison {
  readonly name: string;
  /** What one round counts, such as `step`. */
  readonly unit: string;
  readonly ours: Arm;
  readonly peer: Arm;
  readonly rounds: number;
  /** `speed`: ours per second against the peer's, wanted at least; `cost`: our time against the peer's, wanted at most. */
  readonly as: "speed" | "cost";
  readonly target: number;
}

/** What an arm took, for one unit. */
interface Taken {
  readonly wall_us: number;
  readonly client_cpu_us: number;
  /** Null where the server's processes can't be seen. */
  readonly server_cpu_us: number | null;
}

/** What was seen, as it is kept. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly ours: string;
  readonly peer: string;
  readonly as: "speed" | "cost";
  readonly target: number;
  readonly ratio: number;
  readonly ratio_low: number;
  readonly ratio_high: number;
  readonly is_met: boolean;
  readonly ours_taken: Taken;
  readonly peer_taken: Taken;
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

const measured = async (arm: Arm, serverCpu: ServerCpu): Promise<Taken> => {
  const server_before = await serverCpu();
  const client_before = process.cpuUsage();
  const started_ms = performance.now();
  const units = await arm.round();
  const wall_us = ((performance.now() - started_ms) * 1000) / units;
  const client = process.cpuUsage(client_before);
  const server_after = await serverCpu();
  return {
    wall_us,
    client_cpu_us: (client.user + client.system) / units,
    server_cpu_us:
      server_before === null || server_after === null
        ? null
        : ((server_after - server_before) * 1000) / units,
  };
};

const medians = (taken: ReadonlyArray<Taken>): Taken => {
  const server = taken.map(({ server_cpu_us }) => server_cpu_us);
  return {
    wall_us: median(taken.map(({ wall_us }) => wall_us)),
    client_cpu_us: median(taken.map(({ client_cpu_us }) => client_cpu_us)),
    server_cpu_us: server.includes(null) ? null : median(server as Array<number>),
  };
};

const figureOf = (
  { name, unit, as, target, ours, peer }: Comparison,
  ours_taken: ReadonlyArray<Taken>,
  peer_taken: ReadonlyArray<Taken>,
): Figure => {
  const ratios = ours_taken.map(({ wall_us }, at) => {
    const cost = wall_us / peer_taken[at]!.wall_us;
    return as === "speed" ? 1 / cost : cost;
  });
  const ratio = median(ratios);
  return {
    name,
    unit,
    as,
    target,
    ours: ours.name,
    peer: peer.name,
    ratio,
    ratio_low: Math.min(...ratios),
    ratio_high: Math.max(...ratios),
    is_met: as === "speed" ? ratio >= target : ratio <= target,
    ours_taken: medians(ours_taken),
    peer_taken: medians(peer_taken),
  };
};

/** Measures both arms in turns, after one round of each that does not count. */
export const compare = async (comparison: Comparison, serverCpu: ServerCpu): Promise<Figure> => {
  const { ours, peer, rounds } = comparison;
  await ours.round();
  await peer.round();
  const ours_taken: Array<Taken> = [];
  const peer_taken: Array<Taken> = [];
  for (let round = 0; round < rounds; round += 1) {
    ours_taken.push(await measured(ours, serverCpu));
    peer_taken.push(await measured(peer, serverCpu));
  }
  return figureOf(comparison, ours_taken, peer_taken);
};

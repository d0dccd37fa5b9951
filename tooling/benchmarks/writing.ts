/** How fast steps are written, beside what writes the same bytes with less to say for them. */
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import { ImportCoordinator } from "@runproof/spine-coordinators/import/ImportCoordinator";
import * as Effect from "effect/Effect";
import { OUTCOME, PARAMS, RUNS_AT_ONCE, SKILL_ID, STEPS_OF_A_RUN } from "./Act.ts";
import { openProduct, TENANT_ID, tracedRuns } from "./Product.ts";
import { openTrace } from "./RecordedTrace.ts";
import type { Bench } from "./Suite.ts";

const ROUNDS = 7;
/** Acts of a round: enough that a round takes about a second. */
const REPEATS = 4;
const ACTS_ALONE = 400;
const BULK_STEPS = 10_000;
const CALL_STEPS = 2_000;

interface PeerRuns {
  readonly each: (runs: number, steps: number, insertsOfAnAct?: number) => Promise<number>;
  readonly end: () => Promise<void>;
}

interface Peers {
  readonly plainInserts: (
    url: string,
    row: object,
    connections: number,
  ) => Promise<PeerRuns & { readonly bulk: (steps: number) => Promise<number> }>;
  readonly emmettAppends: (url: string, act: object) => Promise<PeerRuns>;
  readonly dbosSteps: (url: string, act: object, connections: number) => Promise<PeerRuns>;
}

const repeated = async (round: () => Promise<number>): Promise<number> => {
  let units = 0;
  for (let repeat = 0; repeat < REPEATS; repeat += 1) units += await round();
  return units;
};

export const writing = async ({ server, compare }: Bench): Promise<void> => {
  const product = await openProduct(server.url);
  await product.run(tracedRuns("inline", 1, 1));
  const [row] = await queryDatabase(product.url, "select * from aos_trace_steps limit 1");
  const peers = (await import(new URL("peers/peers.mjs", import.meta.url).href)) as Peers;
  const plain = await peers.plainInserts(product.url, row ?? {}, RUNS_AT_ONCE);
  const alone = await peers.plainInserts(product.url, row ?? {}, 1);
  const emmett = await peers.emmettAppends(product.url, { params: PARAMS, outcome: OUTCOME });
  const dbos = await peers.dbosSteps(product.url, OUTCOME, RUNS_AT_ONCE);

  const of = (capture: "gated" | "inline", runs: number, steps: number) => ({
    name: `TracedRun, ${capture}`,
    round: () => product.run(tracedRuns(capture, runs, steps)),
  });
  const repeatedly = (name: string, round: () => Promise<number>) => ({
    name,
    round: () => repeated(round),
  });
  const ours = (capture: "gated" | "inline") => {
    const { name, round } = of(capture, RUNS_AT_ONCE, STEPS_OF_A_RUN);
    return repeatedly(name, round);
  };
  const beside = (name: string, peer: PeerRuns, insertsOfAnAct?: number) =>
    repeatedly(name, () => peer.each(RUNS_AT_ONCE, STEPS_OF_A_RUN, insertsOfAnAct));
  const figure = { unit: "step", rounds: ROUNDS, as: "speed" } as const;

  await compare({
    ...figure,
    name: "16 runs at once, inline",
    ours: ours("inline"),
    peer: beside("plain INSERT, 16 connections", plain),
    target: 1.5,
  });
  await compare({
    ...figure,
    name: "16 runs at once, gated",
    unit: "act",
    ours: ours("gated"),
    peer: beside("two plain INSERTs an act", plain, 2),
    target: 1.5,
  });
  await compare({
    ...figure,
    name: "16 runs at once, inline",
    ours: ours("inline"),
    peer: beside("emmett appends", emmett),
    target: 4,
  });
  await compare({
    ...figure,
    name: "16 runs at once, inline",
    ours: ours("inline"),
    peer: beside("DBOS steps", dbos),
    target: 8,
  });
  await compare({
    ...figure,
    name: "one run alone, inline",
    ours: of("inline", 1, ACTS_ALONE),
    peer: { name: "plain INSERT, one connection", round: () => alone.each(1, ACTS_ALONE) },
    target: 0.8,
  });

  let imported = 0;
  await compare({
    ...figure,
    name: "bulk: 10,000 steps of a file",
    ours: {
      name: "import",
      round: async () => {
        imported += 1;
        const text = recording(`bulk-${imported}`);
        await product.run(
          ImportCoordinator.use((imports) =>
            imports.importText({ name: "bulk", text, format: "ndjson", tenant_id: TENANT_ID }),
          ),
        );
        return BULK_STEPS;
      },
    },
    peer: { name: "one unnest INSERT", round: () => plain.bulk(BULK_STEPS) },
    target: 0.6,
  });
  await compare({
    ...figure,
    name: "bulk: 2,000 steps in one call",
    ours: {
      name: "appendSteps",
      round: () => product.run(Effect.as(openTrace(CALL_STEPS), CALL_STEPS)),
    },
    peer: { name: "one unnest INSERT", round: () => plain.bulk(CALL_STEPS) },
    target: 0.6,
  });
  for (const peer of [plain, alone, emmett, dbos]) await peer.end();
  await product.end();
};

/** A file of one run, as the importer reads it. */
const recording = (run_id: string): string => {
  const started_at = "2026-02-10T12:43:41.549430Z";
  const step = { type: "step", skill_id: SKILL_ID, status: "success", params: PARAMS };
  return [
    { type: "run", run_id, started_at },
    ...Array.from({ length: BULK_STEPS }, () => ({ ...step, outcome_data: OUTCOME })),
    { type: "end", status: "completed" },
  ]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join("");
};

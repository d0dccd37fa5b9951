/** How fast evidence is read and proven, beside a SELECT of the same rows by the same driver. */
import { Database } from "@runproof/drivers/Database";
import { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import { queryDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import { commandOf, main } from "./commands.ts";
import { openTrace, recordTraces, sealTrace } from "./RecordedTrace.ts";
import { openProduct, type Product, TENANT_ID } from "./Product.ts";
import type { Bench } from "./Suite.ts";

const ROUNDS = 5;
const PROOF_STEPS = 100_000;
const AUDIT_STEPS = 1_000_000;
const STEPS_OF_A_TRACE = 1_000;
const SHARE_OF_THE_LARGEST = 0.4;
const SHORT_STEPS = 1_000;
const ROWS_AT_ONCE = 1_000;

interface Place {
  readonly trace_id: string;
  readonly step_index: bigint;
}

/** Reads rows in pages by the primary key, and looks at no value. */
const selectPages = (statement: string, first: Place) =>
  Effect.gen(function* () {
    const { sql } = yield* Database;
    let read = 0;
    let after = first;
    for (;;) {
      const rows = yield* sql.unsafe<Place>(statement, [after.trace_id, after.step_index]);
      read += rows.length;
      const last = rows.at(-1);
      if (last === undefined) return read;
      after = last;
    }
  });

const selectTrace = (trace_id: string) =>
  selectPages(
    `select * from aos_trace_steps where trace_id = $1 and step_index > $2
           order by step_index limit ${ROWS_AT_ONCE}`,
    { trace_id, step_index: -1n },
  );

const selectAll = selectPages(
  `select * from aos_trace_steps where (trace_id, step_index) > ($1, $2)
         order by trace_id, step_index limit ${ROWS_AT_ONCE}`,
  { trace_id: "", step_index: -1n },
);

const proving = (product: Product, run_id: string, steps: number) => async () => {
  const proof = await product.run(
    RunProofCoordinator.use((proofs) => proofs.getRunProof({ tenant_id: TENANT_ID, run_id })),
  );
  if (proof.integrity.verification_status !== "VERIFIED") throw new Error("not VERIFIED");
  return steps;
};

const showing = (product: Product, run_id: string) => async () => {
  await product.run(
    RunProofCoordinator.use((proofs) =>
      proofs.getStepBundle({ tenant_id: TENANT_ID, run_id, step_index: SHORT_STEPS >> 1 }),
    ),
  );
  return 1;
};

export const reading = async ({ server, compare }: Bench): Promise<void> => {
  const figure = { unit: "step", rounds: ROUNDS } as const;
  const product = await openProduct(server.url);
  const run_id = await product.run(Effect.tap(openTrace(PROOF_STEPS), sealTrace));
  // As autovacuum has it a minute later: without statistics each page of a SELECT reads the whole table.
  await queryDatabase(product.url, "analyze");
  await compare({
    ...figure,
    name: "proof of a 100,000-step trace",
    as: "speed",
    ours: { name: "getRunProof", round: proving(product, run_id, PROOF_STEPS) },
    peer: {
      name: "SELECT of the same rows",
      round: () => product.run(selectTrace(run_id)),
    },
    target: 0.6,
  });
  const short_id = await product.run(Effect.tap(openTrace(SHORT_STEPS), sealTrace));
  await compare({
    ...figure,
    unit: "step bundle",
    name: "one step shown",
    as: "cost",
    ours: { name: "of 100,000 steps", round: showing(product, run_id) },
    peer: { name: "of 1,000", round: showing(product, short_id) },
    target: 3,
  });
  await product.end();

  const large = await openProduct(server.url);
  const largest = Math.round(AUDIT_STEPS * SHARE_OF_THE_LARGEST);
  const others = Math.round((AUDIT_STEPS - largest) / STEPS_OF_A_TRACE);
  await large.run(
    recordTraces([largest, ...Array.from({ length: others }, () => STEPS_OF_A_TRACE)]),
  );
  await queryDatabase(large.url, "analyze");
  const peaks_mb: Array<number> = [];
  await compare({
    ...figure,
    rounds: 2,
    name: "audit of 1,000,000 steps",
    as: "speed",
    ours: {
      name: "runproof audit",
      round: async () => {
        const { peak_mb } = await commandOf([main, "audit", "--json"], { DATABASE_URL: large.url });
        peaks_mb.push(peak_mb);
        return AUDIT_STEPS;
      },
    },
    peer: { name: "SELECT of the same rows", round: () => large.run(selectAll) },
    target: 0.5,
  });
  console.log(`  peak memory of the audit: ${Math.max(...peaks_mb).toFixed(0)} MB, at most 300`);
  await large.end();
};

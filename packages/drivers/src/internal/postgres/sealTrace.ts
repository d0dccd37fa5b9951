import type { InvalidInput, TraceWriteError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../../Database.ts";
import type { SealedTrace, SealTrace } from "../../TraceStore.ts";
import { traceWriteError } from "./sqlReason.ts";
import { textArray } from "./textArray.ts";

/** A seal that needs no holder, for the lease is over: it can only abort. */
type SealExpired = Omit<SealTrace, "holder"> & {
  readonly holder?: undefined;
  readonly only_if_expired: true;
};

/** Seals an open trace. */
export const sealTrace =
  ({ write: sql, description }: Pick<Database["Service"], "write" | "description">) =>
  ({
    trace_id,
    holder,
    seal,
    expected,
  }: SealTrace | SealExpired): Effect.Effect<SealedTrace, TraceWriteError | InvalidInput> =>
    sql<Omit<SealedTrace, "step_count"> & { readonly step_count: bigint }>`
      select ${trace_id}::text as trace_id, seal_record, step_count, chain_head, merkle_root, root_hash
      from runproof_seal_trace(
        ${trace_id}, ${holder ?? null}, ${textArray(seal.parts)},
        ${seal.payloads.metadata?.text ?? null}, ${seal.payloads.metadata?.salt ?? null},
        ${expected === undefined ? null : BigInt(expected.next_index)}, ${expected?.link ?? null}
      )`.pipe(
      Effect.map(([row]) => ({ ...row!, step_count: Number(row!.step_count) })),
      Effect.mapError(traceWriteError("sealTrace", description, trace_id)),
    );

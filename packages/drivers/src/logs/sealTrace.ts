import type { PreparedSeal } from "@runproof/proof/SealRecord";
import type { InvalidInput, TraceWriteError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { unlessForeign } from "./atomically.ts";
import type { TraceHead } from "./readHead.ts";
import { traceWriteError } from "../internal/postgres/sqlReason.ts";
import { textArray } from "../internal/postgres/textArray.ts";

/** A seal for an open trace. Until its lease is over, anybody but its holder meets `LeaseLost`. */
export interface SealTrace {
  readonly trace_id: string;
  readonly holder: string;
  readonly seal: PreparedSeal;
  /** What the trace must be at; anything else in the chain is `ChainMoved`. */
  readonly expected?: TraceHead | undefined;
}

/** What the database sealed: the record with the count, head and tree root it had under its lock. */
export interface SealedTrace {
  readonly trace_id: string;
  readonly seal_record: string;
  readonly step_count: number;
  readonly chain_head: string;
  readonly merkle_root: string;
  readonly root_hash: string;
}

/** A seal that needs no holder, for the lease is over: it can only abort. */
type SealExpired = Omit<SealTrace, "holder"> & {
  readonly holder?: undefined;
  readonly only_if_expired: true;
};

/** Seals an open trace. */
export const sealTrace =
  (database: Database["Service"]) =>
  ({
    trace_id,
    holder,
    seal,
    expected,
  }: SealTrace | SealExpired): Effect.Effect<SealedTrace, TraceWriteError | InvalidInput> =>
    unlessForeign(database)(
      database.write<Omit<SealedTrace, "step_count"> & { readonly step_count: bigint }>`
      select ${trace_id}::text as trace_id, seal_record, step_count, chain_head, merkle_root, root_hash
      from runproof_seal_trace(
        ${trace_id}, ${holder ?? null}, ${textArray(seal.parts)},
        ${seal.payloads.metadata?.text ?? null}, ${seal.payloads.metadata?.salt ?? null},
        ${expected === undefined ? null : BigInt(expected.next_index)}, ${expected?.link ?? null}
      )`.pipe(
        Effect.map(([row]) => ({ ...row!, step_count: Number(row!.step_count) })),
        Effect.mapError(traceWriteError("sealTrace", database.description, trace_id)),
      ),
    );

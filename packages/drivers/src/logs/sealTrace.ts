import type { PreparedSeal } from "@runproof/proof/SealRecord";
import type { InvalidInput, TraceWriteError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { SqlError } from "effect/sql/SqlError";
import type { Database } from "../Database.ts";
import { unlessForeign } from "./atomically.ts";
import type { TraceHead } from "./readHead.ts";
import { integerArray } from "../internal/postgres/integerArray.ts";
import { databaseError, traceWriteError } from "../internal/postgres/sqlReason.ts";
import { textArray } from "../internal/postgres/textArray.ts";
import { togetherOrAlone } from "../internal/postgres/togetherOrAlone.ts";

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

/** Seals traces, all or none; each as it was sealed, in order. */
const putSeals = (
  { write: sql }: Database["Service"],
  items: ReadonlyArray<SealTrace | SealExpired>,
): Effect.Effect<ReadonlyArray<SealedTrace>, SqlError> => {
  const texts = (of: (item: SealTrace | SealExpired) => string | null | undefined) =>
    textArray(items.map((item) => of(item) ?? null));
  const part = (at: number) => texts(({ seal }) => seal.parts[at]);
  return sql<Omit<SealedTrace, "step_count"> & { readonly step_count: bigint }>`
    select u.trace_id, s.seal_record, s.step_count, s.chain_head, s.merkle_root, s.root_hash
    from unnest(
      ${texts(({ trace_id }) => trace_id)}, ${texts(({ holder }) => holder)},
      ${part(0)}, ${part(1)}, ${part(2)}, ${part(3)},
      ${texts(({ seal }) => seal.payloads.metadata?.text)}, ${texts(({ seal }) => seal.payloads.metadata?.salt)},
      ${integerArray(items.map(({ expected }) => expected?.next_index ?? null))}, ${texts(({ expected }) => expected?.link)}
    ) with ordinality as u(trace_id, holder, head, root, count, rest, metadata, metadata_salt, expected_count, expected_head, place),
    lateral runproof_seal_trace(
      u.trace_id, u.holder, array[u.head, u.root, u.count, u.rest], u.metadata, u.metadata_salt, u.expected_count, u.expected_head
    ) as s
    order by u.place`.pipe(
    Effect.map((rows) => rows.map((row) => ({ ...row, step_count: Number(row.step_count) }))),
  );
};

/** Seals an open trace. */
export const sealTrace =
  (database: Database["Service"]) =>
  (item: SealTrace | SealExpired): Effect.Effect<SealedTrace, TraceWriteError | InvalidInput> =>
    unlessForeign(database)(
      putSeals(database, [item]).pipe(
        Effect.map(([sealed]) => sealed!),
        Effect.mapError(traceWriteError("sealTrace", database.description, item.trace_id)),
      ),
    );

/** Seals traces that end at the same time, in one statement and one commit. Each gets its own answer. */
export const sealTraces = (database: Database["Service"]) =>
  togetherOrAlone<SealTrace, SealedTrace, TraceWriteError | InvalidInput>(
    (items) => putSeals(database, items),
    sealTrace(database),
    databaseError("sealTraces", database.description),
  );

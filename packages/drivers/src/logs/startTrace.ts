import type { PreparedTrace } from "@runproof/proof/TraceRecord";
import {
  IdempotencyConflict,
  type IdempotencyError,
  IdempotencyInProgress,
  InvalidInput,
  RunExists,
  type RunRefused,
  RunRepeated,
  type TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { SqlError } from "effect/sql/SqlError";
import type { Database } from "../Database.ts";
import { LEASE_MS_MAX } from "../EvidenceLimits.ts";
import { atomically, unlessForeign } from "./atomically.ts";
import { type ClaimedKey, claimKey, type IdempotencyClaim } from "./claimKey.ts";
import { integerArray } from "../internal/postgres/integerArray.ts";
import { databaseError, runRefusal, traceWriteError } from "../internal/postgres/sqlReason.ts";
import { textArray } from "../internal/postgres/textArray.ts";
import { togetherOrAlone } from "../internal/postgres/togetherOrAlone.ts";
import type { TraceHead } from "./readHead.ts";

/** Why a trace can't be started. */
export type StartError = TraceWriteError | InvalidInput | RunExists | RunRefused | IdempotencyError;

/** A trace to start, with the lease that its process holds. */
export interface StartTrace {
  readonly trace: PreparedTrace;
  /** Who renews the lease and writes the trace: a value that nobody else can know. Several writers of one trace share it. */
  readonly holder: string;
  readonly lease_ms: number;
  /** The key of the request that begins it, if it has one. */
  readonly claim?: IdempotencyClaim | undefined;
}

/** Fails where the key began another run. */
const requireNew = (
  { key: idempotency_key }: IdempotencyClaim,
  tenant_id: string,
  { claim, run_id, trace_id }: ClaimedKey,
): Effect.Effect<void, IdempotencyError> => {
  const of = { tenant_id, idempotency_key, run_id };
  switch (claim) {
    case "new":
      return Effect.void;
    case "conflict":
      return Effect.fail(new IdempotencyConflict(of));
    case "in_progress":
      return Effect.fail(new IdempotencyInProgress(of));
    case "duplicate":
      return Effect.fail(new RunRepeated({ ...of, trace_id }));
  }
};

const RUN_IS_UNIQUE = "aos_traces_tenant_id_run_id_key";

/** Inserts traces, their leases and their OPENED entries, all or none: the heads, in order. */
const insertTraces = (
  { write: sql }: Database["Service"],
  items: ReadonlyArray<StartTrace>,
): Effect.Effect<ReadonlyArray<TraceHead>, SqlError> => {
  const texts = (of: (item: StartTrace) => string | null | undefined) =>
    textArray(items.map((item) => of(item) ?? null));
  return sql<{ place: bigint; trace_id: string; link: string }>`
    select u.place, s.trace_id, s.link
    from unnest(
      ${texts(({ trace }) => trace.record)},
      ${texts(({ trace }) => trace.payloads.plan?.text)}, ${texts(({ trace }) => trace.payloads.plan?.salt)},
      ${texts(({ trace }) => trace.payloads.attributes?.text)}, ${texts(({ trace }) => trace.payloads.attributes?.salt)},
      ${texts(({ holder }) => holder)}, ${integerArray(items.map(({ lease_ms }) => lease_ms))}
    ) with ordinality as u(record, plan, plan_salt, attributes, attributes_salt, holder, lease_ms, place),
    lateral runproof_start_trace(u.record, u.plan, u.plan_salt, u.attributes, u.attributes_salt, u.holder, u.lease_ms) as s
    order by u.place`.pipe(
    Effect.map((rows) => rows.map(({ trace_id, link }) => ({ trace_id, next_index: 0, link }))),
  );
};

const requireLease = ({ lease_ms }: StartTrace): Effect.Effect<void, InvalidInput> =>
  isLease(lease_ms)
    ? Effect.void
    : Effect.fail(
        new InvalidInput({
          what: `${lease_ms} is no whole number of milliseconds from 0 to ${LEASE_MS_MAX}`,
          where: "lease_ms",
          remedy: "Give how long the lease is to last.",
        }),
      );

const isLease = (lease_ms: number): boolean =>
  Number.isSafeInteger(lease_ms) && lease_ms >= 0 && lease_ms <= LEASE_MS_MAX;

/** Starts a trace: inserts it, its lease and its OPENED entry. */
export const startTrace =
  (database: Database["Service"]) =>
  (item: StartTrace): Effect.Effect<TraceHead, StartError> => {
    const { trace, claim } = item;
    const { description } = database;
    const { trace_id, run_id, tenant_id } = trace;
    const started = Effect.suspend(() => insertTraces(database, [item])).pipe(
      Effect.map(([head]) => head!),
      Effect.mapError((error) =>
        error.reason._tag === "UniqueViolation" && error.reason.constraint === RUN_IS_UNIQUE
          ? new RunExists({ run_id, tenant_id })
          : (runRefusal(error, { run_id, tenant_id }) ??
            traceWriteError("startTrace", description, trace_id)(error)),
      ),
    );
    const owned = Effect.andThen(requireLease(item), unlessForeign(database)(started));
    if (claim === undefined) return owned;
    const claimed = claimKey(database)(claim, { tenant_id, run_id, trace_id }).pipe(
      Effect.mapError(traceWriteError("claimKey", description, trace_id)),
      Effect.flatMap((key) => requireNew(claim, tenant_id, key)),
    );
    // The key stands or falls with its run.
    return atomically(database)(Effect.andThen(claimed, owned));
  };

/** Starts traces that begin at the same time, without claims, in one statement and one commit. Each gets its own answer. */
export const startTraces = (database: Database["Service"]) => {
  const alone = startTrace(database);
  const together = togetherOrAlone<StartTrace, TraceHead, StartError>(
    (items) => insertTraces(database, items),
    alone,
    databaseError("startTraces", database.description),
  );
  return (items: ReadonlyArray<StartTrace>) =>
    items.every(({ lease_ms }) => isLease(lease_ms))
      ? together(items)
      : Effect.forEach(items, (item) => Effect.result(alone(item)));
};

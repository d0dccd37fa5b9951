import type { PreparedTrace } from "@runproof/proof/TraceRecord";
import { parseJson } from "@runproof/proof/JsonText";
import type { Payload } from "@runproof/proof/Payload";
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
import type { TraceRecord } from "@runproof/schemas/TraceRecord";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { LEASE_MS_MAX } from "../EvidenceLimits.ts";
import { atomically, unlessForeign } from "./atomically.ts";
import { type ClaimedKey, claimKey, type IdempotencyClaim } from "./claimKey.ts";
import { runRefusal, traceWriteError } from "../internal/postgres/sqlReason.ts";
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

/** Inserts a trace, its lease and its OPENED entry. */
export const startTrace =
  (database: Database["Service"]) =>
  ({ trace, holder, lease_ms, claim }: StartTrace): Effect.Effect<TraceHead, StartError> => {
    const { write: sql, description } = database;
    const { record } = trace;
    const plan: Payload | null = trace.payloads.plan;
    const attributes: Payload | null = trace.payloads.attributes;
    const { trace_id, run_id, tenant_id } = parseJson(record) as unknown as TraceRecord;
    if (!Number.isSafeInteger(lease_ms) || lease_ms < 0 || lease_ms > LEASE_MS_MAX) {
      const what = `${lease_ms} is no whole number of milliseconds from 0 to ${LEASE_MS_MAX}`;
      return Effect.fail(
        new InvalidInput({
          what,
          where: "lease_ms",
          remedy: "Give how long the lease is to last.",
        }),
      );
    }
    const started = sql<{ trace_id: string; link: string }>`
      select trace_id, link
      from runproof_start_trace(
        ${record},
        ${plan?.text ?? null}, ${plan?.salt ?? null},
        ${attributes?.text ?? null}, ${attributes?.salt ?? null},
        ${holder}, ${BigInt(lease_ms)}
      )`.pipe(
      Effect.map(([row]) => ({ trace_id: row!.trace_id, next_index: 0, link: row!.link })),
      Effect.mapError((error) =>
        error.reason._tag === "UniqueViolation" && error.reason.constraint === RUN_IS_UNIQUE
          ? new RunExists({ run_id, tenant_id })
          : (runRefusal(error, { run_id, tenant_id }) ??
            traceWriteError("startTrace", description, trace_id)(error)),
      ),
    );
    if (claim === undefined) return unlessForeign(database)(started);
    const claimed = claimKey(database)(claim, { tenant_id, run_id, trace_id }).pipe(
      Effect.mapError(traceWriteError("claimKey", description, trace_id)),
      Effect.flatMap((key) => requireNew(claim, tenant_id, key)),
    );
    // The key stands or falls with its run.
    return atomically(database)(Effect.andThen(claimed, unlessForeign(database)(started)));
  };

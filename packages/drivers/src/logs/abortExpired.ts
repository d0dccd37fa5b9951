import { Refusal } from "@runproof/proof/Refusal";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { formatTimestamp } from "@runproof/proof/Timestamp";
import { type DatabaseError, InvalidInput } from "@runproof/schemas/RunProofError";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { type ExpiredLease, listExpiredLeases } from "../internal/postgres/listExpiredLeases.ts";
import { type SealedTrace, sealTrace } from "./sealTrace.ts";

/** A trace whose lease was over and that a sweeper aborted. */
export interface AbortedTrace extends SealedTrace {
  readonly run_id: string;
  readonly tenant_id: string;
}

/** What is one trace's trouble, as far as a sweep can tell. */
const GOES_ON_AFTER = [
  "TraceNotFound",
  "ChainMoved",
  "ImmutabilityViolation",
  "InvalidInput",
  "DatabaseUnfit",
  "DatabaseFailed",
] as const;

const unsealable = ({ what, path: where, remedy }: Refusal) =>
  new InvalidInput({ what, where, remedy });

/** Aborts every trace whose lease is over, this process's or another's; answers which. */
export const abortExpired = (
  database: Database["Service"],
): (() => Effect.Effect<ReadonlyArray<AbortedTrace>, DatabaseError>) => {
  const seal = sealTrace(database);
  /** One that can't be aborted is told of, and keeps nothing from the others. */
  const abort = (expired: ExpiredLease) =>
    Effect.gen(function* () {
      const now = formatTimestamp((yield* Clock.currentTimeNanos) / 1000n);
      const sealed = yield* seal({
        trace_id: expired.trace_id,
        only_if_expired: true,
        seal: prepareSeal({
          trace_id: expired.trace_id,
          status: "aborted",
          reason: `the run's lease ended at ${expired.expired_at}: its process died or lost the database`,
          completed_at: now,
          sealed_at: now,
        }),
      });
      return [{ ...sealed, run_id: expired.run_id, tenant_id: expired.tenant_id }];
    }).pipe(
      Effect.catchDefect((defect) =>
        defect instanceof Refusal ? Effect.fail(unsealable(defect)) : Effect.die(defect),
      ),
      // Another sweeper was faster, its process came back, or another session is at it.
      Effect.catchTag(["TraceSealed", "LeaseLost"], () => Effect.succeed([])),
      Effect.catchTag(GOES_ON_AFTER, (error) =>
        Effect.as(Effect.logWarning(`can't abort trace ${expired.trace_id}: ${error.message}`), []),
      ),
    );
  return () =>
    listExpiredLeases(database).pipe(
      Effect.flatMap((leases) => Effect.forEach(leases, abort)),
      Effect.map((aborted) => aborted.flat()),
    );
};

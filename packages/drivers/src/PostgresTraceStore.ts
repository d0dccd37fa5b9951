/** The trace store on PostgreSQL. */
import { prepareSeal, sealRecordText } from "@runproof/proof/SealRecord";
import { formatTimestamp } from "@runproof/proof/Timestamp";
import { InvalidInput, RunNotFound, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { isSqlError, type SqlError } from "effect/sql/SqlError";
import { Database } from "./Database.ts";
import { appendSteps } from "./internal/postgres/appendSteps.ts";
import { listExpiredLeases, type ExpiredLease } from "./internal/postgres/listExpiredLeases.ts";
import { probeTrace } from "./internal/postgres/probeTrace.ts";
import { readEvents } from "./internal/postgres/readEvents.ts";
import { readRemnants, type Remnants } from "./internal/postgres/readRemnants.ts";
import { readSteps } from "./internal/postgres/readSteps.ts";
import { readTrace } from "./internal/postgres/readTrace.ts";
import { renewLease } from "./internal/postgres/renewLease.ts";
import { sealTrace } from "./internal/postgres/sealTrace.ts";
import { searchTraces } from "./internal/postgres/searchTraces.ts";
import { inSnapshot } from "./internal/postgres/snapshot.ts";
import { databaseError } from "./internal/postgres/sqlReason.ts";
import { isStorable } from "./internal/postgres/storableText.ts";
import { startTrace } from "./internal/postgres/startTrace.ts";
import { TraceStore, type RecordSteps, type SealTrace, type StoredRun } from "./TraceStore.ts";

/** Most steps of one call: an array parameter stays far below PostgreSQL's one gigabyte. */
export const MAX_STEPS_AT_ONCE = 10_000;

type Store = TraceStore["Service"];

const recordSteps = (database: Database["Service"]): Store["recordSteps"] => {
  const append = appendSteps(database);
  return (input: RecordSteps) =>
    input.steps.length >= 1 && input.steps.length <= MAX_STEPS_AT_ONCE
      ? append(input)
      : Effect.fail(
          new InvalidInput({
            what: `${input.steps.length} steps in one call`,
            where: `trace ${input.trace_id}`,
            remedy: `Record from 1 to ${MAX_STEPS_AT_ONCE} steps at a time.`,
          }),
        );
};

const abortExpired = (database: Database["Service"]): Store["abortExpired"] => {
  const seal = sealTrace(database);
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
      // Another sweeper was faster, or its process came back.
      Effect.catchTag(["TraceSealed", "LeaseLost"], () => Effect.succeed([])),
      Effect.catchTag(
        ["TraceNotFound", "ChainMoved", "ImmutabilityViolation", "InvalidInput"],
        (error) =>
          Effect.logWarning(`can't abort trace ${expired.trace_id}: ${error.message}`).pipe(
            Effect.as([]),
          ),
      ),
    );
  return () =>
    listExpiredLeases(database).pipe(
      Effect.flatMap((leases) => Effect.forEach(leases, abort)),
      Effect.map((aborted) => aborted.flat()),
    );
};

/** Rows that name a run without its trace row are evidence that was cut: never "not found". */
const traceGone = ({ steps, trace_id }: Remnants): string | null => {
  if (steps > 0)
    return `${steps} step${steps === 1 ? " is" : "s are"} there, but the trace row is gone`;
  return trace_id === null ? null : `it began the trace ${trace_id}, and the trace row is gone`;
};

const get =
  (database: Database["Service"]): Store["get"] =>
  (input) => {
    const { sql } = database;
    // What can't be stored is not there: the database would refuse to look for it.
    if (!isStorable(input.run_id) || !isStorable(input.tenant_id))
      return Effect.fail(new RunNotFound(input));
    const read = Effect.gen(function* () {
      const found = yield* readTrace(sql, input);
      if (found === null) {
        const what = traceGone(yield* readRemnants(sql, input));
        if (what === null) return yield* new RunNotFound(input);
        return yield* new StoredDataUnreadable({ where: `run ${input.run_id}`, what });
      }
      const trace_id = String(found.trace.columns["trace_id"]);
      const steps = yield* readSteps(sql, trace_id);
      return { ...found, steps, ...(yield* readEvents(sql, trace_id)) } satisfies StoredRun;
    });
    // One snapshot: a seal or an erasure between two statements would look like tampering.
    return inSnapshot(sql, read).pipe(Effect.mapError(toDomain("get", database)));
  };

const toDomain = (operation: string, { description }: Database["Service"]) => {
  const map = databaseError(operation, description);
  return <E>(error: E | SqlError) => (isSqlError(error) ? map(error) : error);
};

const NO_HASH = "0".repeat(64);

const statusOf = (seal: SealTrace["seal"]): string => {
  const text = sealRecordText(seal, { chain_head: NO_HASH, merkle_root: NO_HASH, step_count: 0 });
  return (JSON.parse(text) as { readonly status: string }).status;
};

/** Seals, and refuses a record that says another end than the call. */
const sealAs =
  (seal: Store["complete"], statuses: ReadonlyArray<string>): Store["complete"] =>
  (input) => {
    const status = statusOf(input.seal);
    return statuses.includes(status)
      ? seal(input)
      : Effect.fail(
          new InvalidInput({
            what: `the seal says ${status}, where ${statuses.join(" or ")} is meant`,
            where: `trace ${input.trace_id}`,
            remedy: "Call complete for completed and failed runs, abort for aborted ones.",
          }),
        );
  };

/** Provides `TraceStore` from an open `Database`. */
export const layer: Layer.Layer<TraceStore, never, Database> = Layer.effect(
  TraceStore,
  Effect.map(Database, (database) => {
    const record = recordSteps(database);
    const seal = sealTrace(database);
    return TraceStore.of({
      start: startTrace(database),
      recordStep: ({ step, ...input }) => record({ ...input, steps: [step] }),
      recordSteps: record,
      complete: sealAs(seal, ["completed", "failed"]),
      abort: sealAs(seal, ["aborted"]),
      renewLease: renewLease(database),
      abortExpired: abortExpired(database),
      get: get(database),
      atomically: (effect) =>
        database.sql
          .withTransaction(effect)
          .pipe(Effect.mapError(toDomain("atomically", database))),
      search: searchTraces(database),
      probe: probeTrace(database),
    });
  }),
);

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
import {
  joined,
  outsideTransactions,
  unlessForeign,
} from "./internal/postgres/joinedTransaction.ts";
import { probeTrace } from "./internal/postgres/probeTrace.ts";
import { readEvents } from "./internal/postgres/readEvents.ts";
import { readRemnants, type Remnants } from "./internal/postgres/readRemnants.ts";
import { readSteps } from "./internal/postgres/readSteps.ts";
import { readTraces } from "./internal/postgres/readTraces.ts";
import { renewLease } from "./internal/postgres/renewLease.ts";
import { sealTrace } from "./internal/postgres/sealTrace.ts";
import { searchTraces } from "./internal/postgres/searchTraces.ts";
import { inSnapshot } from "./internal/postgres/snapshot.ts";
import { databaseError } from "./internal/postgres/sqlReason.ts";
import { isStorable } from "./internal/postgres/storableText.ts";
import { startTrace } from "./internal/postgres/startTrace.ts";
import type { TraceAndSeal } from "./internal/postgres/TraceRow.ts";
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

interface RunName {
  readonly tenant_id: string;
  readonly run_id: string;
}

/** The run that a trace record says it is of; null where its text says nothing. */
const runOf = (record: string): RunName | null => {
  try {
    const { tenant_id, run_id } = JSON.parse(record) as Partial<RunName>;
    return tenant_id === undefined || run_id === undefined ? null : { tenant_id, run_id };
  } catch {
    return null;
  }
};

const isSameRun = (left: RunName, right: RunName) =>
  left.tenant_id === right.tenant_id && left.run_id === right.run_id;

/** Why the rows found can't be taken for the run asked for; null where they can. */
const rowContradiction = (
  asked: RunName,
  { trace }: TraceAndSeal,
  other: TraceAndSeal | undefined,
): string | null => {
  if (other !== undefined) return "more than one trace row claims to be its";
  const { tenant_id, run_id } = trace.columns;
  if (tenant_id === asked.tenant_id && run_id === asked.run_id) return null;
  // Its steps or its own row name a trace that bears another name: believed only where the record says it is this run's.
  const written = runOf(trace.record);
  return written !== null && isSameRun(written, asked)
    ? null
    : "its steps or its own row name a trace that is another run's";
};

const get =
  (database: Database["Service"]): Store["get"] =>
  (input) => {
    const { sql } = database;
    // What can't be stored is not there: the database would refuse to look for it.
    if (!isStorable(input.run_id) || !isStorable(input.tenant_id))
      return Effect.fail(new RunNotFound(input));
    const read = Effect.gen(function* () {
      const [found, other] = yield* readTraces(sql, input);
      const contradiction =
        found === undefined
          ? traceGone(yield* readRemnants(sql, input))
          : rowContradiction(input, found, other);
      if (contradiction !== null) {
        return yield* new StoredDataUnreadable({
          where: `run ${input.run_id}`,
          what: contradiction,
        });
      }
      if (found === undefined) return yield* new RunNotFound(input);
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
    const owned = unlessForeign(database.sql);
    const append = recordSteps(database);
    const start = startTrace(database);
    const sealAny = sealTrace(database);
    const record: Store["recordSteps"] = (input) => owned(append(input));
    const seal: Store["complete"] = (input) => owned(sealAny(input));
    return TraceStore.of({
      start: (input) => owned(start(input)),
      recordStep: ({ step, ...input }) => record({ ...input, steps: [step] }),
      recordSteps: record,
      complete: sealAs(seal, ["completed", "failed"]),
      abort: sealAs(seal, ["aborted"]),
      renewLease: renewLease(database),
      abortExpired: abortExpired(database),
      get: get(database),
      ensureDurable: outsideTransactions(database.sql),
      atomically: (effect) =>
        Effect.mapError(joined(database.sql, effect), toDomain("atomically", database)),
      search: searchTraces(database),
      probe: probeTrace(database),
    });
  }),
);

/** The trace store on PostgreSQL. */
import { parseJson } from "@runproof/proof/JsonText";
import { Refusal } from "@runproof/proof/Refusal";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { formatTimestamp } from "@runproof/proof/Timestamp";
import {
  type DatabaseError,
  InvalidInput,
  RunNotFound,
  StoredDataUnreadable,
  type TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Result from "effect/Result";
import { isSqlError, type SqlError } from "effect/sql/SqlError";
import { Database } from "./Database.ts";
import { STEPS_AT_ONCE_MAX } from "./EvidenceLimits.ts";
import { appendStep } from "./internal/postgres/appendStep.ts";
import { appendSteps } from "./internal/postgres/appendSteps.ts";
import { explainAppend } from "./internal/postgres/explainAppend.ts";
import { listExpiredLeases, type ExpiredLease } from "./internal/postgres/listExpiredLeases.ts";
import {
  joined,
  outsideTransactions,
  unlessForeign,
} from "./internal/postgres/joinedTransaction.ts";
import { probeTrace } from "./internal/postgres/probeTrace.ts";
import { readEvents } from "./internal/postgres/readEvents.ts";
import { readHead } from "./internal/postgres/readHead.ts";
import { readRemnants, type Remnants } from "./internal/postgres/readRemnants.ts";
import { readSteps } from "./internal/postgres/readSteps.ts";
import { readTraces } from "./internal/postgres/readTraces.ts";
import { renewLeases } from "./internal/postgres/renewLeases.ts";
import { sealTrace } from "./internal/postgres/sealTrace.ts";
import { searchTraces } from "./internal/postgres/searchTraces.ts";
import { inSnapshot } from "./internal/postgres/snapshot.ts";
import { databaseError, traceWriteError } from "./internal/postgres/sqlReason.ts";
import { isStorable } from "./internal/postgres/storableText.ts";
import { startTrace } from "./internal/postgres/startTrace.ts";
import type { TraceAndSeal } from "./internal/postgres/TraceRow.ts";
import { TraceStore, type StoredRun } from "./TraceStore.ts";

type Store = TraceStore["Service"];
type Item = Parameters<Store["append"]>[0][number];
type Answer = Result.Result<string, TraceWriteError | InvalidInput>;

const withinLimit = (steps: number, where: string): Effect.Effect<void, InvalidInput> =>
  steps >= 1 && steps <= STEPS_AT_ONCE_MAX
    ? Effect.void
    : Effect.fail(
        new InvalidInput({
          what: `${steps} steps in one call`,
          where,
          remedy: `Record from 1 to ${STEPS_AT_ONCE_MAX} steps at a time.`,
        }),
      );

/** Whether an error says something of one item, and nothing of the others. */
const isOfOneItem = (error: TraceWriteError | InvalidInput): boolean =>
  error._tag === "InvalidInput" ||
  error._tag === "ImmutabilityViolation" ||
  error._tag === "ChainMoved" ||
  error._tag === "TraceSealed" ||
  error._tag === "TraceNotFound" ||
  error._tag === "LeaseLost";

const append = (database: Database["Service"]): Store["append"] => {
  const send = appendStep(database);
  const explain = explainAppend(database);
  const explained = (link: string | null, item: Item) =>
    link === null
      ? Effect.result(explain({ ...item, first_index: item.step_index }))
      : Effect.succeed(Result.succeed(link) as Answer);
  /** Only what a whole statement meets fails; what one item meets is that item's answer. */
  const sent = (items: ReadonlyArray<Item>): Effect.Effect<ReadonlyArray<Answer>, DatabaseError> =>
    send(items).pipe(
      Effect.mapError(traceWriteError("appendStep", database.description, items[0]!.trace_id)),
      Effect.flatMap((links) =>
        links.includes(null)
          ? Effect.forEach(links, (link, at) => explained(link, items[at]!))
          : Effect.succeed(links.map((link): Answer => Result.succeed(link!))),
      ),
      Effect.catch((error) => {
        if (!isOfOneItem(error)) return Effect.fail(error as DatabaseError);
        if (items.length === 1) return Effect.succeed([Result.fail(error) as Answer]);
        // One that is refused must not take the others with it.
        return Effect.map(
          Effect.forEach(items, (item) => sent([item])),
          (answers) => answers.flat(),
        );
      }),
    );
  return (items) => Effect.flatMap(withinLimit(items.length, "append"), () => sent(items));
};

const appendMany = (database: Database["Service"]): Store["appendSteps"] => {
  const send = appendSteps(database);
  const explain = explainAppend(database);
  return (input) => {
    const { trace_id, holder, first_index, steps } = input;
    const last = steps.length - 1;
    return withinLimit(steps.length, `trace ${trace_id}`).pipe(
      Effect.flatMap(() => send(input)),
      Effect.mapError((error) =>
        isSqlError(error)
          ? traceWriteError("appendSteps", database.description, trace_id)(error)
          : error,
      ),
      Effect.flatMap((link) =>
        link === null
          ? explain({
              trace_id,
              holder,
              first_index,
              step_index: first_index + last,
              step: steps[last]!,
            })
          : Effect.succeed(link),
      ),
    );
  };
};

const abortExpired = (database: Database["Service"]): Store["abortExpired"] => {
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
    const { tenant_id, run_id } = (parseJson(record) ?? {}) as Partial<RunName>;
    return tenant_id === undefined || run_id === undefined ? null : { tenant_id, run_id };
  } catch (error) {
    if (error instanceof Refusal) return null;
    throw error;
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

/** Provides `TraceStore` from an open `Database`. */
export const layer: Layer.Layer<TraceStore, never, Database> = Layer.effect(
  TraceStore,
  Effect.map(Database, (database) => {
    const owned = unlessForeign(database);
    const start = startTrace(database);
    const seal = sealTrace(database);
    const one = append(database);
    const many = appendMany(database);
    return TraceStore.of({
      start: (input) => owned(start(input)),
      append: (items) => owned(one(items)),
      appendSteps: (input) => owned(many(input)),
      seal: (input) => owned(seal(input)),
      head: readHead(database),
      renewLeases: renewLeases(database),
      abortExpired: abortExpired(database),
      get: get(database),
      ensureDurable: outsideTransactions(database),
      atomically: (effect) =>
        Effect.mapError(joined(database, effect), toDomain("atomically", database)),
      search: searchTraces(database),
      probe: probeTrace(database),
    });
  }),
);

import type {
  AuditedTrace,
  TraceRange,
  TraceSize,
} from "@runproof/drivers/audit/readAuditedTraces";
import type { StoredStep } from "@runproof/proof/StoredRun";
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { AuditReadError, AuditReads } from "../AuditBridge.ts";
import { type AuditRun, orUnreadable } from "./AuditRun.ts";
import type { FoundHere, TraceResult } from "./AuditTally.ts";
import { TraceAudit } from "./TraceAudit.ts";
import { TraceLog } from "./TraceLog.ts";

/** Traces of one snapshot: some hundred steps usually, so that a snapshot is short. */
const BATCH_TRACES = 100;

/** And no more than this of their own rows, plans and other payloads included. */
const BATCH_BYTES = 4 * 1024 * 1024;

/** Traces that are named one by one when they can't be read; a whole table of them is said once. */
const UNREADABLE_MAX = 100;

const idOf = ({ trace }: AuditedTrace): string => String(trace.columns["trace_id"]);

/** Ids that are remembered of steps that no trace took. */
const UNTAKEN_MAX = 100;

/** Takes the steps of a batch, which come in the order of its traces, to the trace that each belongs to. */
class Batch {
  readonly results: Array<TraceResult> = [];
  /** Ids of steps that no trace of the batch took, a few at most, and how many steps they were. */
  readonly untaken = new Set<string>();
  untaken_steps = 0;
  readonly #traces: ReadonlyArray<AuditedTrace>;
  readonly #logs: ReadonlyMap<string, TraceLog>;
  readonly #places: ReadonlyMap<string, number>;
  #at = 0;
  #audit: TraceAudit | null = null;

  constructor(traces: ReadonlyArray<AuditedTrace>, logs: ReadonlyMap<string, TraceLog>) {
    this.#traces = traces;
    this.#logs = logs;
    this.#places = new Map(traces.map((trace, at) => [idOf(trace), at]));
    this.#begin();
  }

  #begin(): void {
    const trace = this.#traces[this.#at];
    this.#audit = trace === undefined ? null : new TraceAudit(trace, this.#logs.get(idOf(trace))!);
  }

  #end(): void {
    if (this.#audit !== null) this.results.push(this.#audit.finish());
    this.#at += 1;
    this.#begin();
  }

  addStep(step: StoredStep): void {
    const trace_id = String(step.columns["trace_id"]);
    const at = this.#places.get(trace_id);
    if (at === undefined || at < this.#at) {
      this.untaken_steps += 1;
      if (this.untaken.size < UNTAKEN_MAX) this.untaken.add(trace_id);
      return;
    }
    while (this.#at < at) this.#end();
    this.#audit?.addStep(step);
  }

  finish(): ReadonlyArray<TraceResult> {
    while (this.#audit !== null) this.#end();
    return this.results;
  }
}

const readBatch = Effect.fnUntraced(function* (
  run: AuditRun,
  reads: AuditReads,
  range: TraceRange,
  count: (steps: number) => void,
): Effect.fn.Return<
  {
    readonly trace_ids: ReadonlyArray<string>;
    readonly results: ReadonlyArray<TraceResult>;
    readonly found: ReadonlyArray<FoundHere>;
  },
  AuditReadError
> {
  const traces = yield* reads.traces(range);
  const logs = new Map(traces.map((trace) => [idOf(trace), new TraceLog()]));
  yield* reads.forEachTraceEntryPage(range, (entries) =>
    Effect.sync(() => {
      for (const entry of entries) logs.get(entry.trace_id ?? "")?.add(entry);
    }),
  );
  const batch = new Batch(traces, logs);
  yield* reads.forEachStepPage(range, (steps) =>
    Effect.suspend(() => {
      for (const step of steps) batch.addStep(step);
      count(steps.length);
      return run.tell;
    }),
  );
  const results = batch.finish();
  return { trace_ids: traces.map(idOf), results, found: yield* untakenFaults(reads, batch) };
});

/**
 * Steps that the database reads with the traces of a batch, and that are none's there. Those of a trace that is not there are
 * orphans, which are looked for by themselves; the others have an id that the database takes for another.
 */
const untakenFaults = Effect.fnUntraced(function* (
  reads: AuditReads,
  { untaken, untaken_steps }: Batch,
): Effect.fn.Return<ReadonlyArray<FoundHere>, AuditReadError> {
  if (untaken.size === 0) return [];
  const ids = [...untaken];
  const known = yield* Effect.filter(ids, (trace_id) =>
    Effect.map(reads.entryTraces([trace_id]), (traces) => traces.length > 0),
  );
  return known.map((trace_id) => ({
    code: "FOREIGN_RECORD" as const,
    trace_id,
    object: "aos_trace_steps",
    message: `trace ${JSON.stringify(trace_id)}: of ${untaken_steps} steps some name it so, and to the byte no trace has that id, or they come out of order: the database compares ids otherwise`,
  }));
});

/** Checks the traces of a range from one snapshot, or none of them where anything can't be read. */
const auditRange = (run: AuditRun, range: TraceRange): Effect.Effect<void, AuditReadError> =>
  Effect.gen(function* () {
    let counted = 0;
    const count = (steps: number) => {
      counted += steps;
      run.tally.checked.steps += steps;
    };
    const { trace_ids, results, found } = yield* run
      .snapshot((reads) => readBatch(run, reads, range, count))
      .pipe(
        // Only what was counted here: the other workers count meanwhile.
        Effect.tapError(() => Effect.sync(() => count(-counted))),
      );
    for (const each of found) run.tally.find(each);
    for (const result of results) run.tally.addTrace(result, run.signed_size);
    for (const trace_id of trace_ids) run.tally.met.add(trace_id);
    yield* run.tell;
  });

/** Checks one trace; one that can't be read is a finding. */
export const auditTrace = (
  run: AuditRun,
  trace_id: string,
): Effect.Effect<"read" | "unreadable", DatabaseError> =>
  auditRange(run, { first: trace_id, last: trace_id }).pipe(
    Effect.as("read" as const),
    Effect.catchTag("StoredDataUnreadable", ({ what }) =>
      Effect.sync(() => {
        const message = `the trace: it can't be read: ${what}`;
        run.tally.find({ code: "UNREADABLE", trace_id, message });
        run.tally.met.add(trace_id);
        return "unreadable" as const;
      }),
    ),
  );

const auditOneByOne = Effect.fnUntraced(function* (
  run: AuditRun,
  batch: ReadonlyArray<TraceSize>,
): Effect.fn.Return<number, DatabaseError> {
  let unreadable = 0;
  for (const { trace_id } of batch) {
    if ((yield* auditTrace(run, trace_id)) === "unreadable") unreadable += 1;
  }
  return unreadable;
});

/** The traces that fit into one batch; one at least. */
const cutBatch = (sizes: ReadonlyArray<TraceSize>): ReadonlyArray<TraceSize> => {
  let bytes = 0;
  const end = sizes.findIndex((size, at) => {
    bytes += size.bytes;
    return at > 0 && bytes > BATCH_BYTES;
  });
  return end < 0 ? sizes : sizes.slice(0, end);
};

/** Checks all traces above one id and not above another, batch by batch. */
export const auditTraces = Effect.fnUntraced(function* (
  run: AuditRun,
  { above, through }: { readonly above: string | null; readonly through: string | null },
): Effect.fn.Return<void, DatabaseError> {
  let last = above;
  let unreadable = 0;
  for (;;) {
    const sizes = yield* run
      .snapshot((reads) => reads.traceSizes({ above: last, through, limit: BATCH_TRACES }))
      .pipe(orUnreadable(run, "aos_traces", []));
    const batch = cutBatch(sizes);
    if (batch.length === 0) return;
    const range = { first: batch[0]!.trace_id, last: batch.at(-1)!.trace_id };
    unreadable += yield* auditRange(run, range).pipe(
      Effect.as(0),
      Effect.catchTag("StoredDataUnreadable", () => auditOneByOne(run, batch)),
    );
    if (unreadable >= UNREADABLE_MAX) {
      const message = `aos_traces: ${unreadable} traces can't be read, and those above ${range.last} were not tried`;
      run.tally.find({ code: "UNREADABLE", object: "aos_traces", message });
      return;
    }
    last = range.last;
  }
});

/** Traces that were not met and are remembered: what was begun since is among them. */
const UNMET_MAX = 500_000;

/**
 * Checks what the tables hold and no reading in the order of ids met: what came since, or what an index or a comparison
 * hides. What even its own id does not find is a finding.
 */
export const auditUnmet = Effect.fnUntraced(function* (
  run: AuditRun,
): Effect.fn.Return<void, DatabaseError> {
  const unmet: Array<string> = [];
  let others = 0;
  const collect = run.snapshot((reads) =>
    reads.forEachStoredIdPage((trace_ids) =>
      Effect.sync(() => {
        for (const trace_id of trace_ids) {
          if (run.tally.met.has(trace_id)) continue;
          if (unmet.length < UNMET_MAX) unmet.push(trace_id);
          else others += 1;
        }
      }),
    ),
  );
  yield* collect.pipe(orUnreadable(run, "aos_traces", undefined));
  for (const trace_id of unmet) yield* auditTrace(run, trace_id);
  const hidden = unmet.filter((trace_id) => !run.tally.met.has(trace_id));
  if (hidden.length > 0) yield* findHidden(run, new Set(hidden));
  if (others === 0) return;
  const message = `aos_traces: ${others} more traces are there than were met, and were not checked`;
  run.tally.find({ code: "UNREADABLE", object: "aos_traces", message });
});

/** Names those that are there still: of the others it may be that they were deleted meanwhile. */
const findHidden = (run: AuditRun, hidden: ReadonlySet<string>) =>
  run
    .snapshot((reads) =>
      reads.forEachStoredIdPage((trace_ids) =>
        Effect.sync(() => {
          for (const trace_id of trace_ids) {
            if (!hidden.has(trace_id)) continue;
            const message =
              "the trace: the table holds it, and it is not found by its id: it was not checked";
            run.tally.find({ code: "UNREADABLE", trace_id, message });
          }
        }),
      ),
    )
    .pipe(orUnreadable(run, "aos_traces", undefined));

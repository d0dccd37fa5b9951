import { parseJson } from "@runproof/proof/JsonText";
import type { TreeNode } from "@runproof/proof/ProofPlan";
import { Refusal } from "@runproof/proof/Refusal";
import type { StoredSeal, StoredStep, StoredTrace } from "@runproof/proof/StoredRun";
import {
  type DatabaseError,
  RunDeleted,
  RunNotFound,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { isSqlError, type SqlError } from "effect/sql/SqlError";
import type { Database } from "../Database.ts";
import { readEvents } from "../internal/postgres/readEvents.ts";
import { readRemnants, type Remnants } from "../internal/postgres/readRemnants.ts";
import type { UsePage } from "../internal/postgres/forEachPage.ts";
import { readTraces } from "../internal/postgres/readTraces.ts";
import { inSnapshot } from "../internal/postgres/snapshot.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { isStorable } from "../internal/postgres/storableText.ts";
import type { TraceAndSeal } from "../internal/postgres/TraceRow.ts";
import { readStep } from "./readStep.ts";
import { readSteps, readStepsFrom, type StepsFrom } from "./readSteps.ts";
import { readSubtrees } from "./readSubtrees.ts";

/** A stored run as one consistent snapshot: the trace, its seal, and its steps, of which there may be more than memory holds. */
export interface StoredRun {
  readonly trace: StoredTrace;
  readonly seal: StoredSeal | null;
  /** Gives `use` every step in the order of their index, some at a time. It may be asked again, and gives the same. */
  readonly forEachStepPage: <E, R>(
    use: UsePage<StoredStep, E, R>,
  ) => Effect.Effect<void, E | DatabaseError, R>;
  /** One step; null where there is none, or more than one. */
  readonly readStep: (step_index: number) => Effect.Effect<StoredStep | null, DatabaseError>;
  /** Hashes of complete subtrees of its tree as they are stored: no evidence until a sealed root follows from them. */
  readonly readSubtrees: (
    nodes: ReadonlyArray<TreeNode>,
  ) => Effect.Effect<ReadonlyArray<string | null>, DatabaseError>;
  /** Gives `use` some steps from an index on, without reading those before it. */
  readonly forEachStepPageFrom: <E, R>(
    steps: StepsFrom,
    use: UsePage<StoredStep, E, R>,
  ) => Effect.Effect<void, E | DatabaseError, R>;
  /** Payloads whose erasure the log records, as `trace:plan`, `step 3:params`, `seal:metadata`. */
  readonly erasures_recorded: ReadonlySet<string>;
  /** Whether the log records that the trace was archived. */
  readonly archival_recorded: boolean;
}

/** Rows that name a run without its trace row are evidence that was cut: never "not found". */
const traceGone = ({ steps, trace_id }: Remnants): string | null => {
  if (steps > 0)
    return `${steps} step${steps === 1 ? " is" : "s are"} there, but the trace row is gone`;
  return trace_id === null ? null : `it began the trace ${trace_id}, and the trace row is gone`;
};

/** Which run, and whose. */
export interface RunName {
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

/**
 * Gives `use` one run of one tenant, for as long as `use` takes: it holds a snapshot. Steps whose trace row is gone are
 * `StoredDataUnreadable`, never "not found".
 */
export const readRun = (database: Database["Service"]) => {
  const { sql } = database;
  /** Errors of whoever uses what is read pass through. */
  const mapped = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
  ): Effect.Effect<A, Exclude<E, SqlError> | DatabaseError, R> =>
    Effect.mapError(effect, (error) =>
      isSqlError(error)
        ? databaseError("readRun", database.description)(error)
        : (error as Exclude<E, SqlError>),
    );
  const find = Effect.fnUntraced(function* (input: RunName) {
    const [found, other] = yield* readTraces(sql, input);
    const left = found === undefined ? yield* readRemnants(sql, input) : null;
    if (left !== null && left.trace_id !== null && left.steps === 0) {
      const { deletion_recorded } = yield* readEvents(sql, left.trace_id);
      if (deletion_recorded !== null)
        return yield* new RunDeleted({ ...input, ...deletion_recorded });
    }
    const contradiction =
      found === undefined
        ? traceGone(left ?? { steps: 0, trace_id: null })
        : rowContradiction(input, found, other);
    if (contradiction !== null) {
      return yield* new StoredDataUnreadable({ where: `run ${input.run_id}`, what: contradiction });
    }
    if (found === undefined) return yield* new RunNotFound(input);
    const trace_id = String(found.trace.columns["trace_id"]);
    return {
      ...found,
      forEachStepPage: (use) =>
        mapped(readSteps(sql, { first: trace_id, last: trace_id, ahead: true }, use)),
      readStep: (step_index) => mapped(readStep(sql, { trace_id, step_index })),
      readSubtrees: (nodes) => mapped(readSubtrees(sql, { trace_id, nodes })),
      forEachStepPageFrom: (steps, use) => mapped(readStepsFrom(sql, { trace_id, ...steps }, use)),
      ...(yield* readEvents(sql, trace_id)),
    } satisfies StoredRun;
  });
  return <A, E, R>(
    input: RunName,
    use: (run: StoredRun) => Effect.Effect<A, E, R>,
  ): Effect.Effect<
    A,
    Exclude<E, SqlError> | DatabaseError | RunNotFound | RunDeleted | StoredDataUnreadable,
    R
  > =>
    // What can't be stored is not there: the database would refuse to look for it.
    !isStorable(input.run_id) || !isStorable(input.tenant_id)
      ? Effect.fail(new RunNotFound(input))
      : // One snapshot: a seal or an erasure between two statements would look like tampering.
        mapped(inSnapshot(sql, Effect.flatMap(find(input), use)));
};

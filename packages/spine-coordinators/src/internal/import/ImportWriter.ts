/** Writes what a source says as sealed traces, inside the transaction of its caller. */
import { createHash, randomUUID } from "node:crypto";
import {
  canonicalize,
  type CanonicalLimits,
  type JsonObject,
  type JsonValue,
  PARSED_LIMITS,
} from "@runproof/proof/CanonicalJson";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { type PreparedStep, prepareStep, stepRecordText } from "@runproof/proof/StepRecord";
import { normaliseTimestamp } from "@runproof/proof/Timestamp";
import { prepareTrace, type TraceInput } from "@runproof/proof/TraceRecord";
import { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { ImportedRun, ImportError, ImportSettings } from "../../ImportCoordinator.ts";
import { LEASE_MS_MAX, LogsBridge } from "../../LogsBridge.ts";
import { LocalChain } from "../LocalChain.ts";
import { now } from "../now.ts";
import { refusable } from "../refused.ts";
import { LINE_BYTES_MAX } from "./Lines.ts";
import {
  type SourceEnd,
  type SourceEvent,
  SourceInvalid,
  type SourceRun,
  type SourceStep,
} from "./SourceEvent.ts";

/** Steps of one round trip: enough to hide its latency, few enough to hold. */
const BATCH_STEPS = 500;

/** Characters of one round trip: many steps with large payloads must not add up to more than memory. */
const BATCH_UNITS = 8 * 1024 * 1024;

/** A run whose `end` the source has not said yet. */
interface OpenRun {
  readonly input: TraceInput;
  readonly chain: LocalChain;
  readonly holder: string;
  batch: Array<PreparedStep>;
  batch_units: number;
  step_count: number;
}

/** How a source's runs are written, one after another. */
export interface ImportWriter {
  /** Takes the next event; `where` names its line or place in errors. */
  readonly write: (event: SourceEvent, where: string) => Effect.Effect<void, ImportError>;
  /** Ends what the source left open, and answers the runs that were written. */
  readonly finish: () => Effect.Effect<ReadonlyArray<ImportedRun>, ImportError>;
  readonly progress: () => { readonly runs_done: number; readonly steps_done: number };
}

/** A writer of one source; `source` is its name without folders. */
export const makeImportWriter = (
  settings: ImportSettings,
  source: string,
): Effect.Effect<ImportWriter, never, LogsBridge> =>
  Effect.map(LogsBridge, (logs) => {
    const runs: Array<ImportedRun> = [];
    const seen = new Map<string, number>();
    let open: OpenRun | null = null;
    let steps_done = 0;

    const begin = Effect.fnUntraced(function* (event: SourceRun, where: string) {
      const created_at = yield* now;
      const run_id = yield* placed(where, () => runIdOf(settings, event, seen));
      const input = yield* placed(where, () =>
        traceInput(settings, event, { run_id, created_at, source, index: runs.length }),
      );
      const trace = yield* placed(where, () => prepareTrace(input, PARSED_LIMITS));
      // Nobody sees the trace before it is sealed; a long one must not outlive its lease.
      const lease = { holder: randomUUID(), lease_ms: LEASE_MS_MAX };
      const head = yield* logs.begin({ trace, ...lease });
      const chain = new LocalChain(input.trace_id, trace);
      const mismatch = chain.compareHead(head);
      if (mismatch !== undefined) return yield* mismatch;
      const { holder } = head;
      open = { input, chain, holder, batch: [], batch_units: 0, step_count: 0 };
    });

    const add = Effect.fnUntraced(function* (run: OpenRun, event: SourceStep, where: string) {
      const timestamp = yield* now;
      const step = yield* placed(where, () => stepOf(run, event, timestamp));
      run.batch.push(step);
      run.batch_units += unitsOf(step);
      run.step_count += 1;
      steps_done += 1;
      if (run.batch.length >= BATCH_STEPS || run.batch_units >= BATCH_UNITS) yield* flush(run);
    });

    const flush = Effect.fnUntraced(function* (run: OpenRun) {
      if (run.batch.length === 0) return;
      const { trace_id } = run.input;
      const { holder, batch: steps } = run;
      const answered = yield* logs.append({ trace_id, holder, steps, expected: run.chain.head });
      const mismatch = run.chain.extend(steps, answered);
      if (mismatch !== undefined) return yield* mismatch;
      run.batch = [];
      run.batch_units = 0;
    });

    const end = Effect.fnUntraced(function* (run: OpenRun, event: SourceEnd, where: string) {
      yield* flush(run);
      const { trace_id, run_id, tenant_id } = run.input;
      const sealed_at = yield* now;
      const { seal, status } = yield* placed(where, () => sealOf(trace_id, event, sealed_at));
      const answered = yield* logs.seal({
        trace_id,
        holder: run.holder,
        seal,
        status,
        expected: run.chain.head,
      });
      const mismatch = run.chain.compareSeal(seal, answered, []);
      if (mismatch !== undefined) return yield* mismatch;
      const { step_count, root_hash } = answered;
      runs.push({ run_id, trace_id, tenant_id, step_count, root_hash, status });
      open = null;
    });

    return {
      write: Effect.fnUntraced(function* (event, where) {
        if (event.event === "run") {
          if (open !== null) yield* end(open, BROKEN_OFF, where);
          return yield* begin(event, where);
        }
        if (open === null) {
          return yield* new InvalidInput({
            what: `a ${event.event} before any run`,
            where,
            remedy: "Begin each run with a line of type run.",
          });
        }
        return yield* event.event === "step" ? add(open, event, where) : end(open, event, where);
      }),
      finish: Effect.fnUntraced(function* () {
        if (open !== null) yield* end(open, BROKEN_OFF, source);
        return runs;
      }),
      progress: () => ({ runs_done: runs.length, steps_done }),
    };
  });

/** Makes what may be refused; the refusal names its place in the source. */
const placed = <A>(where: string, make: () => A): Effect.Effect<A, InvalidInput> =>
  Effect.mapError(refusable(make), ({ path, what, remedy }) => {
    const place = path === "$" ? "" : `${path} `;
    return new InvalidInput({ what: `${place}${what}`, where, remedy });
  });

const BROKEN_OFF: SourceEnd = {
  event: "end",
  status: "aborted",
  reason: "the source breaks off: it holds no end of this run",
  completed_at: null,
  import_notes: {},
};

const CONTENT_LIMITS: CanonicalLimits = { ...PARSED_LIMITS, bytes_max: LINE_BYTES_MAX * 2 };

/**
 * The run's own id, or one that is made. From the content, so that importing the same run again meets the first one; a
 * source that says the same run twice gets a number into the second's.
 */
const runIdOf = (settings: ImportSettings, event: SourceRun, seen: Map<string, number>): string => {
  if (event.run_id !== undefined) return textAt("$.run_id", event.run_id);
  if (settings.run_ids === "random") return randomUUID();
  const content = hashOf([settings.format, settings.tenant_id, event.content]);
  const ordinal = seen.get(content) ?? 0;
  seen.set(content, ordinal + 1);
  return `import-${ordinal === 0 ? content : hashOf([content, ordinal])}`;
};

const hashOf = (value: JsonValue): string =>
  createHash("sha256").update(canonicalize(value, CONTENT_LIMITS)).digest("hex").slice(0, 32);

const traceInput = (
  settings: ImportSettings,
  event: SourceRun,
  made: {
    readonly run_id: string;
    readonly created_at: string;
    readonly source: string;
    readonly index: number;
  },
): TraceInput => {
  const { format, tenant_id } = settings;
  const { run_id, created_at, source, index } = made;
  const { goal, plan, attributes } = event;
  const isTimed = event.started_at !== null;
  const started_at = isTimed ? timeAt("$.started_at", event.started_at) : created_at;
  return withFields<TraceInput>(
    {
      trace_id: randomUUID(),
      run_id,
      tenant_id,
      correlation_id: run_id,
      agent_id: settings.agent_id ?? null,
      origin_system_id: settings.origin_system_id ?? null,
      incident_id: null,
      replay_of: null,
      started_at,
      created_at,
      plan,
      attributes: {
        import: {
          format,
          source,
          index,
          ...(isTimed ? {} : { started_at: "the time of the import" }),
        },
        ...(goal === undefined ? {} : { goal }),
        ...(attributes === undefined ? {} : { attributes }),
      },
      seed: null,
      frozen_timestamp: null,
      is_synthetic: false,
      synthetic_scenario_id: null,
      redaction: null,
    },
    event.fields,
  );
};

/** What a status alone says of an outcome. */
const CATEGORIES: Readonly<Record<string, string>> = {
  success: "SUCCESS",
  failure: "PERMANENT",
  retry: "TRANSIENT",
  skipped: "SKIPPED",
};

const categoryOf = (status: JsonValue | undefined): string =>
  (typeof status === "string" ? CATEGORIES[status] : undefined) ?? "UNKNOWN";

const stepOf = (run: OpenRun, event: SourceStep, timestamp: string): PreparedStep => {
  const { fields, params, outcome_data, attributes } = event;
  const { trace_id, is_synthetic, synthetic_scenario_id } = run.input;
  const step = prepareStep(
    withFields(
      {
        trace_id,
        parent_step_index: null,
        skill_id: "",
        skill_name: (fields["skill_id"] ?? null) as string,
        source: "external",
        status: null as never,
        outcome_category: categoryOf(fields["status"]),
        outcome_code: null,
        params,
        outcome_data,
        attributes,
        cost_cents: null,
        duration_ms: null,
        started_at: null,
        retry_count: 0,
        replay_behavior: "execute",
        idempotency_key: null,
        timestamp,
        is_synthetic,
        synthetic_scenario_id,
      },
      { skill_id: null, ...fields },
    ),
    PARSED_LIMITS,
  );
  if (event.step_index !== undefined && event.step_index !== run.step_count) {
    throw new SourceInvalid(
      "$.step_index",
      `must be ${run.step_count} here`,
      "Give the steps in order, from 0.",
    );
  }
  // Refuses a parent that is not before its step.
  stepRecordText(step, run.step_count);
  return step;
};

const sealOf = (trace_id: string, event: SourceEnd, sealed_at: string) => {
  const { metadata, detail, completed_at, import_notes } = event;
  const notes = {
    ...import_notes,
    ...(completed_at === null ? { completed_at: "the time of the import" } : {}),
  };
  const said = {
    ...(Object.keys(notes).length === 0 ? {} : { import: notes }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(detail === undefined ? {} : { detail }),
  };
  // The record's schema refuses any other status and reason.
  const status = event.status as ImportedRun["status"];
  const seal = prepareSeal(
    {
      trace_id,
      status,
      reason: event.reason as string | null,
      completed_at: completed_at === null ? sealed_at : timeAt("$.completed_at", completed_at),
      sealed_at,
      metadata: Object.keys(said).length === 0 ? undefined : said,
    },
    PARSED_LIMITS,
  );
  return { seal, status };
};

/** Defaults with what the source says over them. The record's schema refuses values of another type. */
const withFields = <Input extends object>(defaults: Input, fields: JsonObject): Input => {
  const times = ["started_at", "frozen_timestamp"].filter((key) => (fields[key] ?? null) !== null);
  return {
    ...defaults,
    ...fields,
    ...Object.fromEntries(times.map((key) => [key, timeAt(`$.${key}`, fields[key] ?? null)])),
  };
};

const textAt = (path: string, value: JsonValue): string => {
  if (typeof value === "string") return value;
  throw new SourceInvalid(path, "must be a string", "Give a string, or leave it out.");
};

const timeAt = (path: string, value: JsonValue): string => {
  try {
    return normaliseTimestamp(textAt(path, value));
  } catch (error) {
    if (!(error instanceof Error) || !("what" in error) || !("remedy" in error)) throw error;
    throw new SourceInvalid(path, String(error.what), String(error.remedy));
  }
};

const unitsOf = ({ payloads, before_index, after_index }: PreparedStep): number =>
  Object.values(payloads).reduce(
    (sum, payload) => sum + (payload?.text.length ?? 0),
    before_index.length + after_index.length,
  );

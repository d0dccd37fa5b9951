/** Writes what a source says as sealed traces, inside the transaction of its caller. */
import { randomUUID } from "node:crypto";
import { type JsonObject, type JsonValue, PARSED_LIMITS } from "@runproof/proof/CanonicalJson";
import type { Refusal } from "@runproof/proof/Refusal";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { normaliseTimestamp } from "@runproof/proof/Timestamp";
import { prepareTrace, type TraceInput } from "@runproof/proof/TraceRecord";
import { type ChainMismatch, InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { now } from "../../internal/now.ts";
import { isRefusal, refusable } from "../../internal/refused.ts";
import { LEASE_MS_MAX, LogsBridge, type RunState, type StartError } from "../../logs/LogsBridge.ts";
import type { StepDraft } from "../../logs/StepDraft.ts";
import { TraceWriter } from "../../logs/TraceWriter.ts";
import { DEFAULT_REDACTOR } from "../../logs/WriteRules.ts";
import type { ImportSettings } from "../ImportSettings.ts";
import {
  type SourceEnd,
  type SourceEvent,
  SourceInvalid,
  type SourceRun,
  type SourceStep,
} from "./SourceEvent.ts";
import { contentHash, type Survey } from "./Survey.ts";

/** One run that was brought in. */
export interface ImportedRun {
  readonly run_id: string;
  readonly trace_id: string;
  readonly tenant_id: string;
  readonly step_count: number;
  readonly root_hash: string;
  readonly status: "completed" | "failed" | "aborted";
}

/** What stops an import. Nothing of the source was written then. */
export type ImportError = StartError | ChainMismatch;

/** What stands in a trace as the importer that made it: changed whenever it reads a source in another way. */
export const IMPORTER = "runproof/import@v1";

/** What a text says is committed to as it is. */
const TELLING = { values: "exactly", limits: PARSED_LIMITS, redactor: DEFAULT_REDACTOR } as const;

/** What became of a source's runs. */
export interface WrittenRuns {
  readonly runs: ReadonlyArray<ImportedRun>;
  /** Runs that were stored already. */
  readonly skipped: ReadonlyArray<string>;
  /** The last run, where it has no end yet and is left for another import. */
  readonly unfinished: string | null;
}

/** A run whose `end` the source has not said yet. */
interface OpenRun {
  readonly input: TraceInput;
  readonly writer: TraceWriter;
}

/** A run of the source that is not written: it is stored already, or has no end yet. */
interface PassedRun {
  readonly run_id: string;
  /** How it is stored; null where it is left for another import. */
  readonly stored: RunState | null;
  steps: number;
}

/** What the statuses of a row of `runs` are as ends of a source's. */
const ENDS: Readonly<Record<string, string>> = { succeeded: "completed" };

/** How a source's runs are written, one after another. */
export interface ImportWriter {
  /** Takes the next event; `where` names its line or place in errors. */
  readonly write: (event: SourceEvent, where: string) => Effect.Effect<void, ImportError>;
  /** Ends what the source left open, and answers the runs that were written. */
  readonly finish: () => Effect.Effect<WrittenRuns, ImportError>;
  readonly progress: () => { readonly runs_done: number; readonly steps_done: number };
}

/** A writer of one source; `source` is its name without folders. */
export const makeImportWriter = (
  settings: ImportSettings,
  source: string,
  surveyed: Survey,
): Effect.Effect<ImportWriter, never, LogsBridge> =>
  Effect.map(LogsBridge, ({ sink, runState }) => {
    const runs: Array<ImportedRun> = [];
    const runIds = new RunIds(settings, surveyed);
    let open: OpenRun | null = null;
    let passed: PassedRun | null = null;
    const skipped: Array<string> = [];
    let unfinished: string | null = null;
    let begun = 0;
    let steps_done = 0;
    const { sha256, bytes } = surveyed;
    const notes = { source: { sha256, bytes, format: settings.format, importer: IMPORTER } };

    const begin = Effect.fnUntraced(function* (event: SourceRun, where: string) {
      const created_at = yield* now;
      const run_id = yield* placed(where, () => runIds.next(event, where));
      begun += 1;
      if (settings.existing === "skip") {
        const isLeft = begun === surveyed.run_digests.length && !surveyed.is_last_ended;
        const stored = isLeft ? null : yield* runState({ tenant_id: settings.tenant_id, run_id });
        if (isLeft) unfinished = run_id;
        if (isLeft || stored !== null) {
          passed = { run_id, stored, steps: 0 };
          return;
        }
      }
      const input = yield* placed(where, () =>
        traceInput(settings, event, { run_id, created_at, source, index: runs.length }),
      );
      const trace = yield* placed(
        where,
        () => prepareTrace(input, { ...TELLING, notes }),
        RUN_FIELDS,
      );
      // Nobody sees the trace before it is sealed; a long one must not outlive its lease.
      const write = { trace, input, lease_ms: LEASE_MS_MAX, telling: TELLING };
      const { writer, mismatch } = yield* TraceWriter.start(sink, write);
      if (mismatch !== undefined) return yield* mismatch;
      open = { input, writer };
    });

    const add = Effect.fnUntraced(function* (
      { writer }: OpenRun,
      event: SourceStep,
      where: string,
    ) {
      const draft = yield* placed(where, () => stepOf(writer.step_count, event));
      yield* writer
        .stage(draft)
        .pipe(Effect.mapError((error) => (isRefusal(error) ? refusedAt(where, error) : error)));
      steps_done += 1;
    });

    const end = Effect.fnUntraced(function* (
      { input, writer }: OpenRun,
      event: SourceEnd,
      where: string,
    ) {
      const { trace_id, run_id, tenant_id } = input;
      const sealed_at = yield* now;
      const { seal, status } = yield* placed(
        where,
        () => sealOf(trace_id, event, sealed_at),
        END_FIELDS,
      );
      const { step_count, root_hash } = yield* writer.seal(seal, status);
      runs.push({ run_id, trace_id, tenant_id, step_count, root_hash, status });
      open = null;
    });

    /** Passes over what a run says that is not written; one that is stored otherwise is refused. */
    const pass = (run: PassedRun, event: SourceStep | SourceEnd, where: string) => {
      if (event.event === "step") {
        run.steps += 1;
        return Effect.void;
      }
      passed = null;
      skipped.push(run.run_id);
      const { stored, steps } = run;
      const isSame =
        stored === null ||
        stored.is_deleted ||
        (stored.step_count === steps && (ENDS[stored.status] ?? stored.status) === event.status);
      return isSame
        ? Effect.void
        : Effect.fail(
            new InvalidInput({
              what: `the run ${JSON.stringify(run.run_id)} is stored as ${stored.status} with ${stored.step_count ?? "open"} steps, and ends here as ${JSON.stringify(event.status)} with ${steps}`,
              where,
              remedy: "Give this one another run_id: what is stored can't be added to.",
            }),
          );
    };

    return {
      write: Effect.fnUntraced(function* (event, where) {
        if (passed !== null) {
          if (event.event !== "run") return yield* pass(passed, event, where);
          yield* pass(passed, BROKEN_OFF, where);
        }
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
        return { runs, skipped, unfinished };
      }),
      progress: () => ({ runs_done: runs.length + skipped.length, steps_done }),
    };
  });

/** What a payload says in a place of its own, by the field of the source that says it. */
type Fields = Readonly<Record<string, string>>;
const RUN_FIELDS: Fields = {
  "$.attributes.goal": "$.goal",
  "$.attributes.attributes": "$.attributes",
};
const END_FIELDS: Fields = { "$.metadata.metadata": "$.metadata", "$.metadata.detail": "$.reason" };

/** Makes what may be refused; the refusal names its place in the source. */
const placed = <A>(
  where: string,
  make: () => A,
  fields: Fields = {},
): Effect.Effect<A, InvalidInput> =>
  Effect.mapError(refusable(make), (refusal) => refusedAt(where, refusal, fields));

const refusedAt = (
  where: string,
  { path, what, remedy }: Refusal,
  fields: Fields = {},
): InvalidInput => {
  const own = Object.keys(fields).find((each) => path.startsWith(each)) ?? "";
  const said = `${fields[own] ?? ""}${path.slice(own.length)}`;
  return new InvalidInput({ what: `${said === "$" ? "" : `${said} `}${what}`, where, remedy });
};

const BROKEN_OFF: SourceEnd = {
  event: "end",
  status: "aborted",
  reason: "the source breaks off: it holds no end of this run",
  completed_at: null,
  import_notes: {},
};

/** The ids of a source's runs: their own, or ones that are made. */
class RunIds {
  readonly #settings: ImportSettings;
  readonly #survey: Survey;
  /** Where each id was first. */
  readonly #places = new Map<string, string>();
  /** How often each content came. */
  readonly #contents = new Map<string, number>();
  #runs = 0;

  constructor(settings: ImportSettings, surveyed: Survey) {
    this.#settings = settings;
    this.#survey = surveyed;
  }

  /** The next run's id. One that the source names twice is refused, with both places. */
  next(event: SourceRun, where: string): string {
    const run_id =
      event.run_id === undefined ? this.#made(event) : textAt("$.run_id", event.run_id);
    this.#runs += 1;
    const first = this.#places.get(run_id);
    if (first !== undefined) {
      throw new SourceInvalid(
        "$.run_id",
        `${JSON.stringify(run_id)} is there twice: its first run is at ${first}`,
        "Give each run an id of its own, or leave the ids out.",
      );
    }
    this.#places.set(run_id, where);
    return run_id;
  }

  /**
   * From the content, steps and end included, so that importing the same run again meets the first one; a source that says
   * the same run twice gets a number into the second's.
   */
  #made({ content }: SourceRun): string {
    const { format, tenant_id, run_ids } = this.#settings;
    if (run_ids === "random") return randomUUID();
    const said = content ?? this.#survey.run_digests[this.#runs] ?? null;
    const hash = contentHash([format, tenant_id, said]);
    const ordinal = this.#contents.get(hash) ?? 0;
    this.#contents.set(hash, ordinal + 1);
    return `import-${ordinal === 0 ? hash : contentHash([hash, ordinal])}`;
  }
}

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
  const { tenant_id } = settings;
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
          source,
          index,
          ...(isTimed ? {} : { started_at: "the time of the import" }),
        },
        ...(goal === undefined ? {} : { goal }),
        ...(attributes === undefined ? {} : { attributes }),
      },
      seed: null,
      frozen_timestamp: null,
      is_synthetic: settings.is_synthetic ?? false,
      synthetic_scenario_id: settings.synthetic_scenario_id ?? null,
      redaction: null,
      capture: "imported",
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

const stepOf = (step_index: number, event: SourceStep): StepDraft => {
  const { fields, params, outcome_data, attributes } = event;
  if (event.step_index !== undefined && event.step_index !== step_index) {
    throw new SourceInvalid(
      "$.step_index",
      `must be ${step_index} here`,
      "Give the steps in order, from 0.",
    );
  }
  return withFields<StepDraft>(
    {
      parent_step_index: null,
      intent_index: null,
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
    },
    { skill_id: null, ...fields },
  );
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
    TELLING,
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

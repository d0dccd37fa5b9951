/** Lists and shows traces as they are stored. What it shows is not a verdict; a proof is. */
import type { RunName, StoredRun } from "@runproof/drivers/logs/readRun";
import type { Stats, StatsFilter } from "@runproof/drivers/logs/readStats";
import type { StepFilter, FoundSteps } from "@runproof/drivers/logs/searchSteps";
import type { TraceFilter, TracePage } from "@runproof/drivers/logs/searchTraces";
import type { JsonObject, JsonValue } from "@runproof/proof/CanonicalJson";
import { parseCanonical } from "@runproof/proof/JsonText";
import type { StoredPayload, StoredStep } from "@runproof/proof/StoredRun";
import {
  type DatabaseError,
  InvalidInput,
  type RunDeleted,
  type RunNotFound,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { LogsBridge, type Load } from "./LogsBridge.ts";

/** A payload as it is stored: `absent` where the record commits to none, `erased` or `missing` where its text is gone. */
export type ShownPayload =
  | { readonly state: "present"; readonly value: JsonValue }
  | { readonly state: "absent" | "erased" | "missing" };

/** A stored trace, its payloads beside it. */
export interface ShownTrace {
  /** The trace record, by its keys. */
  readonly trace: JsonObject;
  /** `running`, `completed`, `failed` or `aborted`; anything else is shown as it is stored. */
  readonly status: string;
  /** The seal record, by its keys; null while the trace is open. */
  readonly seal: JsonObject | null;
  readonly root_hash: string | null;
  readonly payloads: {
    readonly plan: ShownPayload;
    readonly attributes: ShownPayload;
    readonly metadata: ShownPayload;
  };
}

/** A stored trace with its steps, payloads beside them. */
export interface ShownRun extends ShownTrace {
  readonly steps: ReadonlyArray<ShownStep>;
}

/** A stored step with its payloads. */
export interface ShownStep {
  /** The step record, by its keys. */
  readonly record: JsonObject;
  readonly payloads: {
    readonly params: ShownPayload;
    readonly outcome_data: ShownPayload;
    readonly attributes: ShownPayload;
  };
}

/** Steps of a page where none is asked for, and at most. */
export const PAGE_STEPS = 100;
export const PAGE_STEPS_MAX = 500;

/** Characters of payloads in a page's steps: it ends with the step that brings it over this, for one step may hold megabytes. */
const PAGE_CHARACTERS_MAX = 8 * 1024 * 1024;

/** Which steps of a run. */
export interface StepPageRequest {
  /** The first one's index. */
  readonly from: number;
  readonly limit: number;
}

/** A step of a page, with the index that it is stored under: a record that was edited may say another. */
export interface PagedStep extends ShownStep {
  readonly step_index: number;
}

/** Some of a run's steps. */
export interface StepPage {
  readonly steps: ReadonlyArray<PagedStep>;
  /** Where the next page begins; null where this one holds the last step that there is so far. */
  readonly next_from: number | null;
  /** The run's status at the same moment: steps may come to one that is `running`. */
  readonly status: string;
  /** The root that its seal fixes; null while it is open. */
  readonly root_hash: string | null;
}

type ShowError = DatabaseError | RunNotFound | RunDeleted | StoredDataUnreadable;

/** Listings and single traces. */
export class TraceCoordinator extends Context.Service<
  TraceCoordinator,
  {
    readonly list: (filter: TraceFilter) => Effect.Effect<TracePage, DatabaseError | InvalidInput>;
    /** Calls across a tenant's runs, newest first. */
    readonly listSteps: (
      filter: StepFilter,
    ) => Effect.Effect<FoundSteps, DatabaseError | InvalidInput>;
    /** Figures of runs and calls, of one tenant or of all. */
    readonly stats: (filter: StatsFilter) => Effect.Effect<Stats, DatabaseError | InvalidInput>;
    /** How much is under way, of all tenants together. */
    readonly load: Effect.Effect<Load, DatabaseError>;
    /** One run, in memory. */
    readonly show: (run: RunName) => Effect.Effect<ShownRun, ShowError>;
    /** One run of any size: `onSteps` gets the steps, some at a time. */
    readonly look: (
      run: RunName,
      onSteps: (steps: ReadonlyArray<ShownStep>) => Effect.Effect<void>,
    ) => Effect.Effect<ShownTrace, ShowError>;
    /** One run without its steps. */
    readonly head: (run: RunName) => Effect.Effect<ShownTrace, ShowError>;
    /** Some of a run's steps: those before them are not read. */
    readonly steps: (
      run: RunName,
      page?: Partial<StepPageRequest>,
    ) => Effect.Effect<StepPage, ShowError | InvalidInput>;
  }
>()("@runproof/spine-coordinators/logs/TraceCoordinator") {
  static readonly layer: Layer.Layer<TraceCoordinator, never, LogsBridge> = Layer.effect(
    TraceCoordinator,
    Effect.map(LogsBridge, (logs) =>
      TraceCoordinator.of({
        list: logs.search,
        listSteps: logs.searchSteps,
        stats: logs.stats,
        load: logs.load,
        show: Effect.fnUntraced(function* (name) {
          const steps: Array<ShownStep> = [];
          const trace = yield* look(logs)(name, (some) => Effect.sync(() => steps.push(...some)));
          return { ...trace, steps };
        }),
        look: look(logs),
        head: (name) => logs.read(name, shownTrace),
        steps: stepPage(logs),
      }),
    ),
  );
}

const look =
  (logs: LogsBridge["Service"]): TraceCoordinator["Service"]["look"] =>
  (name, onSteps) =>
    logs.read(
      name,
      Effect.fnUntraced(function* (run) {
        let index = 0;
        yield* run.forEachStepPage((steps) =>
          Effect.flatMap(
            Effect.forEach(steps, (step) => shownStep(run, step, index++)),
            onSteps,
          ),
        );
        return yield* shownTrace(run);
      }),
    );

const shownTrace = Effect.fnUntraced(function* (run: StoredRun) {
  const { trace, seal } = run;
  const record = yield* readRecord("the trace record", trace.record);
  const sealRecord = seal === null ? null : yield* readRecord("the seal record", seal.record);
  const ofTrace = payloadReader(run, "trace", record);
  const metadata =
    seal === null
      ? ({ state: "absent" } as const)
      : yield* payloadReader(run, "seal", sealRecord)("metadata", seal.payloads.metadata);
  return {
    trace: record,
    status: trace.status,
    seal: sealRecord,
    root_hash: seal?.root_hash ?? null,
    payloads: {
      plan: yield* ofTrace("plan", trace.payloads.plan),
      attributes: yield* ofTrace("attributes", trace.payloads.attributes),
      metadata,
    },
  } satisfies ShownTrace;
});

const requirePage = ({ from, limit }: StepPageRequest): Effect.Effect<void, InvalidInput> => {
  const invalid = (where: string, what: string) =>
    Effect.fail(new InvalidInput({ where, what, remedy: "Follow next_from from page to page." }));
  if (!Number.isSafeInteger(from) || from < 0) return invalid("from", "it is no index of a step");
  return Number.isInteger(limit) && limit >= 1 && limit <= PAGE_STEPS_MAX
    ? Effect.void
    : invalid("limit", `it is not from 1 to ${PAGE_STEPS_MAX}`);
};

const charactersOf = ({ record, payloads }: StoredStep): number =>
  Object.values(payloads).reduce((sum, { text }) => sum + (text?.length ?? 0), record.length);

const stepPage =
  (logs: LogsBridge["Service"]): TraceCoordinator["Service"]["steps"] =>
  (name, { from = 0, limit = PAGE_STEPS } = {}) =>
    Effect.andThen(
      requirePage({ from, limit }),
      logs.read(
        name,
        Effect.fnUntraced(function* (run) {
          const steps: Array<PagedStep> = [];
          let [characters, next_from]: [number, number | null] = [0, null];
          // One more than asked for says whether there are more.
          yield* run.forEachStepPageFrom({ from, limit: limit + 1 }, (some) =>
            Effect.forEach(
              some,
              Effect.fnUntraced(function* (step) {
                const step_index = Number(step.columns["step_index"]);
                if (steps.length === limit || characters > PAGE_CHARACTERS_MAX) {
                  next_from ??= step_index;
                  return;
                }
                characters += charactersOf(step);
                steps.push({ step_index, ...(yield* shownStep(run, step, step_index)) });
              }),
              { discard: true },
            ),
          );
          const root_hash = run.seal?.root_hash ?? null;
          return { steps, next_from, status: run.trace.status, root_hash };
        }),
      ),
    );

const shownStep = Effect.fnUntraced(function* (run: StoredRun, step: StoredStep, index: number) {
  const record = yield* readRecord(`the record of step ${index}`, step.record);
  const shown = payloadReader(run, `step ${JSON.stringify(record["step_index"])}`, record);
  const { params, outcome_data, attributes } = step.payloads;
  return {
    record,
    payloads: {
      params: yield* shown("params", params),
      outcome_data: yield* shown("outcome_data", outcome_data),
      attributes: yield* shown("attributes", attributes),
    },
  } satisfies ShownStep;
});

const unreadable = (where: string) =>
  new StoredDataUnreadable({ where, what: "it is not the canonical JSON that was stored" });

const readRecord = (
  where: string,
  text: string,
): Effect.Effect<JsonObject, StoredDataUnreadable> => {
  const value = parseCanonical(text);
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Effect.succeed(value as JsonObject)
    : Effect.fail(unreadable(where));
};

/** Reads the payloads that stand beside one record; `owner` is how the log names that record in an erasure. */
const payloadReader =
  (run: StoredRun, owner: string, record: JsonObject | null) =>
  (name: string, payload: StoredPayload): Effect.Effect<ShownPayload, StoredDataUnreadable> => {
    const commitment = record?.[name] ?? null;
    if (payload.text === null) {
      if (commitment === null) return Effect.succeed({ state: "absent" });
      const state = run.erasures_recorded.has(`${owner}:${name}`) ? "erased" : "missing";
      return Effect.succeed({ state });
    }
    const value = parseCanonical(payload.text);
    return value === undefined
      ? Effect.fail(unreadable(`payload ${name} of ${owner}`))
      : Effect.succeed({ state: "present", value });
  };

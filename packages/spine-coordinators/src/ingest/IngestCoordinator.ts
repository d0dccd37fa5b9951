/**
 * Takes in spans that something beside a run reports, in the order in which they arrive: each is a step of its trace's run.
 * A span is known by its key and by what it says, so one that is sent again is taken once, and one that says something else
 * is recorded as a conflict.
 */
import { canonicalize, type JsonObject, type JsonValue } from "@runproof/proof/CanonicalJson";
import { sha256 } from "@runproof/proof/Hash";
import { parseCanonical } from "@runproof/proof/JsonText";
import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { isRefusal, refusable } from "../internal/refused.ts";
import { LogsBridge, type StartError } from "../logs/LogsBridge.ts";
import {
  RecordingCoordinator,
  type RecordingError,
  resumeTrace,
  saysTheSame,
} from "../logs/RecordingCoordinator.ts";
import type { StepDraft } from "../logs/StepDraft.ts";

/** The origin that runs of spans name. */
export const ORIGIN = "otlp";

/** How the keys of spans begin; a root's says so, since it ends its run. */
const KEY = "otlp:";
const ROOT_KEY = "otlp-root:";

/** How long a run of spans may stay silent: an hour, the longest that a lease lasts. */
const LEASE_MS = 3_600_000;

/** Tries where another process adds to one of the runs at the same time. */
const TRIES_MAX = 8;

/** A parent that comes after its child can't stand in the child's record; sent again, the child would name it. */
const MAY_DIFFER = ["parent_step_index"];

/** A span as a step. */
export interface ReceivedSpan {
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id: string | null;
  readonly draft: Omit<StepDraft, "parent_step_index" | "idempotency_key">;
  /** What the first span of a trace says of its run. */
  readonly agent: string | null;
  readonly service: string | null;
  readonly conversation_id: string | null;
  /** The scenario that marks its run as synthetic; null where it is none. */
  readonly scenario: string | null;
}

/** A span that was not taken, and why. */
export interface RejectedSpan {
  readonly span_id: string;
  readonly reason: string;
}

type IngestError = RecordingError | StartError;

/** Takes spans, and seals the runs that they end. */
export class IngestCoordinator extends Context.Service<
  IngestCoordinator,
  {
    /** Durable when it returns, all of them in one transaction; answers which were not taken. */
    readonly receive: (
      tenant_id: string,
      spans: ReadonlyArray<ReceivedSpan>,
    ) => Effect.Effect<ReadonlyArray<RejectedSpan>, IngestError>;
    /** Seals the runs whose root has ended and that were quiet that long; answers how many. */
    readonly sealQuiet: (quiet_ms: number) => Effect.Effect<number, DatabaseError>;
  }
>()("@runproof/spine-coordinators/ingest/IngestCoordinator") {
  static readonly layer: Layer.Layer<IngestCoordinator, never, LogsBridge | RecordingCoordinator> =
    Layer.effect(
      IngestCoordinator,
      Effect.gen(function* () {
        const logs = yield* LogsBridge;
        const recording = yield* RecordingCoordinator;
        return IngestCoordinator.of({
          receive: receive(logs, recording),
          sealQuiet: sealQuiet(logs, recording),
        });
      }),
    );
}

type Logs = LogsBridge["Service"];
type Recording = RecordingCoordinator["Service"];

const keyOf = ({ span_id, parent_span_id }: ReceivedSpan) =>
  `${parent_span_id === null ? ROOT_KEY : KEY}${span_id}`;

const receive =
  (logs: Logs, recording: Recording) =>
  (
    tenant_id: string,
    spans: ReadonlyArray<ReceivedSpan>,
  ): Effect.Effect<ReadonlyArray<RejectedSpan>, IngestError> => {
    const traces = Map.groupBy(spans, ({ trace_id }) => trace_id);
    // Leases are locked in one order by every process.
    const ordered = [...traces].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Effect.forEach(ordered, ([run_id, some]) =>
      receiveTrace(logs, recording, { tenant_id, run_id }, some),
    ).pipe(
      logs.transactions.atomically,
      Effect.retry({
        times: TRIES_MAX,
        while: ({ _tag }) => _tag === "ChainMoved" || _tag === "RunExists",
      }),
      Effect.map((rejected) => rejected.flat()),
    );
  };

/** What the first span says that says it. */
const firstOf = (
  spans: ReadonlyArray<ReceivedSpan>,
  name: "agent" | "service" | "conversation_id" | "scenario",
): string | null => spans.map((span) => span[name]).find((value) => value !== null) ?? null;

const traceOf = (
  logs: Logs,
  recording: Recording,
  run: { readonly tenant_id: string; readonly run_id: string },
  spans: ReadonlyArray<ReceivedSpan>,
) => {
  const scenario = firstOf(spans, "scenario");
  return logs.resuming.trace(run).pipe(
    Effect.catchTag("RunNotFound", () =>
      recording
        .start({
          ...run,
          correlation_id: firstOf(spans, "conversation_id") ?? run.run_id,
          agent_id: firstOf(spans, "agent") ?? firstOf(spans, "service"),
          origin_system_id: ORIGIN,
          incident_id: null,
          replay_of: null,
          attributes: {},
          seed: null,
          frozen_timestamp: null,
          is_synthetic: scenario !== null,
          synthetic_scenario_id: scenario,
          redaction: null,
          capture: "observed",
          lease_ms: LEASE_MS,
        })
        .pipe(Effect.andThen(logs.resuming.trace(run))),
    ),
  );
};

const receiveTrace = Effect.fnUntraced(function* (
  logs: Logs,
  recording: Recording,
  run: { readonly tenant_id: string; readonly run_id: string },
  spans: ReadonlyArray<ReceivedSpan>,
): Effect.fn.Return<ReadonlyArray<RejectedSpan>, IngestError> {
  const trace = yield* traceOf(logs, recording, run, spans);
  const { trace_id } = trace;
  const parents = spans.flatMap(({ parent_span_id: id }) =>
    id === null ? [] : [`${KEY}${id}`, `${ROOT_KEY}${id}`],
  );
  const keys = [...new Set([...spans.map(keyOf), ...parents])];
  const found = yield* logs.resuming.steps({ trace_id, keys });
  const recorded = new Map(found.map((step) => [step.idempotency_key, step]));
  if (trace.head === null) {
    return spans
      .filter((span) => !recorded.has(keyOf(span)))
      .map(({ span_id }) => ({ span_id, reason: "received after the seal of its trace" }));
  }
  const writer = resumeTrace(logs, { ...trace, head: trace.head });
  const indexes = new Map(found.map((step) => [step.idempotency_key, step.step_index]));
  const rejected: Array<RejectedSpan> = [];
  const sent = new Map<string, StepDraft>();
  for (const span of spans) {
    const { span_id, parent_span_id, draft } = span;
    const key = keyOf(span);
    const parent_step_index =
      parent_span_id === null
        ? null
        : (indexes.get(`${KEY}${parent_span_id}`) ??
          indexes.get(`${ROOT_KEY}${parent_span_id}`) ??
          null);
    const step = { ...draft, parent_step_index, idempotency_key: key };
    const before = recorded.get(key);
    const earlier = sent.get(key);
    const isKnown = yield* refusable(() => {
      // Whatever no record can hold is refused here, before anything is sent.
      writer.preview(step, writer.step_count, PLACE_HOLDER_TIME);
      if (earlier !== undefined) return canonicalOf(earlier) === canonicalOf(step);
      return before !== undefined && saysTheSame(writer, step, before, MAY_DIFFER);
    }).pipe(
      Effect.catch(({ message }) =>
        Effect.sync(() => {
          rejected.push({ span_id, reason: message });
          return true;
        }),
      ),
    );
    if (isKnown) continue;
    if (before === undefined && earlier === undefined) {
      sent.set(key, step);
      indexes.set(key, yield* staged(writer, step));
      continue;
    }
    // The same ids with other content: both stay, and the second says what it is.
    const conflict_key = `otlp-conflict:${span_id}:${sha256(canonicalOf(step))}`;
    const there = yield* logs.resuming.steps({ trace_id, keys: [conflict_key] });
    if (there.length > 0 || sent.has(conflict_key)) continue;
    const conflict = {
      ...step,
      idempotency_key: conflict_key,
      attributes: { conflicts_with: key, ...(step.attributes as JsonObject) },
    };
    sent.set(conflict_key, step);
    yield* staged(writer, conflict);
  }
  yield* writer.flush();
  return rejected;
});

/** Stands where a time will, in a record that is only tried. */
const PLACE_HOLDER_TIME = "2000-01-01T00:00:00.000000Z";

/** A step without its place, which may differ, as one text. */
const canonicalOf = ({ parent_step_index: _place, ...said }: StepDraft): string =>
  canonicalize(said);

const staged = (writer: ReturnType<typeof resumeTrace>, step: StepDraft) =>
  writer.stage(step).pipe(Effect.catchIf(isRefusal, (refusal) => Effect.die(refusal)));

/** What the spans of a run say of what was not received, for its seal. */
const missingOf = Effect.fnUntraced(function* (
  logs: Logs,
  run: { readonly tenant_id: string; readonly run_id: string },
) {
  const seen = new Set<string>();
  const parents = new Set<string>();
  let spans = 0;
  let dropped = 0;
  let conflicts = 0;
  let failed: string | null = null;
  yield* logs.read(run, (stored) =>
    stored.forEachStepPage((steps) =>
      Effect.sync(() => {
        for (const { payloads, columns } of steps) {
          const said = parseCanonical(payloads.attributes.text ?? "{}") as {
            readonly conflicts_with?: string;
            readonly span?: Readonly<Record<string, JsonValue>>;
          };
          const { span = {} } = said;
          if (said.conflicts_with !== undefined) conflicts += 1;
          spans += 1;
          if (typeof span["span_id"] === "string") seen.add(span["span_id"]);
          if (typeof span["parent_span_id"] === "string") parents.add(span["parent_span_id"]);
          else if (columns["status"] === "failure") failed = "the root span says that it failed";
          for (const name of ["attributes", "events", "links"])
            dropped += Number(span[`dropped_${name}_count`] ?? 0);
        }
      }),
    ),
  );
  const parents_never_seen = [...parents].filter((id) => !seen.has(id)).toSorted();
  return { failed, metadata: { otlp: { spans, dropped, conflicts, parents_never_seen } } };
});

const sealQuiet = (logs: Logs, recording: Recording) =>
  Effect.fnUntraced(function* (quiet_ms: number) {
    const query = { origin_system_id: ORIGIN, key_prefix: ROOT_KEY, quiet_ms };
    const runs = yield* logs.resuming.quiet(query);
    let count = 0;
    for (const run of runs) {
      const sealing = Effect.gen(function* () {
        const { failed, metadata } = yield* missingOf(logs, run);
        const status = failed === null ? ("completed" as const) : ("failed" as const);
        yield* recording.seal({ ...run, status, reason: failed, metadata });
        count += 1;
      });
      // Another process may have been faster, or hold the lease under another secret.
      yield* sealing.pipe(
        Effect.catchTag(["TraceSealed", "LeaseLost"], () => Effect.void),
        Effect.catch((error) =>
          Effect.logWarning(
            `can't seal run ${run.run_id} of tenant ${run.tenant_id}: ${error.message}`,
          ),
        ),
      );
    }
    return count;
  });

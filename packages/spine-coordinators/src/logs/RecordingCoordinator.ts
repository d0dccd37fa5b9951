/**
 * Records runs whose work is done elsewhere, call by call. It keeps nothing between two calls, so any process that derives
 * the same holders goes on with any run.
 */
import { canonicalize, type JsonObject, PARSED_LIMITS } from "@runproof/proof/CanonicalJson";
import { sha256 } from "@runproof/proof/Hash";
import { parseCanonical } from "@runproof/proof/JsonText";
import { prepareSeal } from "@runproof/proof/SealRecord";
import type { PreparedStep } from "@runproof/proof/StepRecord";
import { prepareTrace, type TraceInput } from "@runproof/proof/TraceRecord";
import {
  ChainMoved,
  type DatabaseError,
  InvalidInput,
  LeaseLost,
  type RunNotFound,
  type StepBlocked,
  type StoredDataUnreadable,
  TraceSealed,
} from "@runproof/schemas/RunProofError";
import type { Capture } from "@runproof/schemas/TraceRecord";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { randomUUID } from "node:crypto";
import { now } from "../internal/now.ts";
import { invalidInput, isRefusal, refusable } from "../internal/refused.ts";
import {
  LEASE_MS_MAX,
  LogsBridge,
  type OpenTrace,
  type SealedTrace,
  type StartError,
  type IdempotencyClaim,
} from "./LogsBridge.ts";
import { IncidentsBridge } from "../incidents/IncidentsBridge.ts";
import { type Blocked, Guard } from "../policies/Guard.ts";
import { PoliciesBridge } from "../policies/PoliciesBridge.ts";
import { recordBlocked } from "./BlockedStep.ts";
import { DEFAULT_REDACTOR } from "./WriteRules.ts";
import { INTENDED, type StepDraft } from "./StepDraft.ts";
import { TraceWriter, type WriteError } from "./TraceWriter.ts";

/** How long a run may stay silent where its starter names no `lease_ms`: an agent's longest call, and a caller's slow network. */
export const RECORDED_LEASE_MS = 300_000;

/** Steps of one call: as many as are sent together. */
export const RECORDED_STEPS_MAX = 256;

/** Tries where other callers add to the same run at the same time. */
const TRIES_MAX = 8;

/** What JSON text from outside says is committed to as it is. */
const TELLING = { values: "exactly", limits: PARSED_LIMITS, redactor: DEFAULT_REDACTOR } as const;

/** A tenant's run. */
export interface RunKey {
  readonly tenant_id: string;
  readonly run_id: string;
}

/** A run to start: the trace record's fields, but for those that are made here. */
export interface StartRecording extends Omit<
  TraceInput,
  "trace_id" | "run_id" | "correlation_id" | "created_at" | "started_at"
> {
  readonly run_id?: string | undefined;
  readonly correlation_id?: string | undefined;
  readonly started_at?: string | undefined;
  readonly lease_ms?: number | undefined;
  /** Names the request: the same one again is answered with the run that the first began. */
  readonly idempotency_key?: string | undefined;
}

/** Where a run stands. */
export interface RecordedHead extends RunKey {
  readonly trace_id: string;
  readonly next_index: number;
  readonly link: string;
}

/** Steps to add. */
export interface RecordSteps extends RunKey {
  readonly steps: ReadonlyArray<StepDraft>;
  /** The index that the first one must get. With it, the same call again is answered as the first time. */
  readonly first_index?: number | undefined;
}

/** Steps that were added: durable. */
export interface RecordedSteps extends RecordedHead {
  readonly first_index: number;
}

/** How a run ended. */
export interface SealRecording extends RunKey {
  readonly status: "completed" | "failed" | "aborted";
  readonly reason: string | null;
  readonly metadata?: unknown;
}

/** What recording may fail with. */
export type RecordingError = WriteError | RunNotFound | StepBlocked | StoredDataUnreadable;

/** Starts runs, adds to them, keeps their leases, and seals them. */
export class RecordingCoordinator extends Context.Service<
  RecordingCoordinator,
  {
    readonly start: (
      run: StartRecording,
    ) => Effect.Effect<RecordedHead, WriteError | StartError | RunNotFound | StoredDataUnreadable>;
    /** All of the steps or none, durable when it returns. */
    readonly record: (input: RecordSteps) => Effect.Effect<RecordedSteps, RecordingError>;
    /** Asks whether a step may be taken, before it acts. Where it may not, that is recorded, and the run is over: `StepBlocked`. */
    readonly ask: (run: RunKey, step: StepDraft) => Effect.Effect<void, RecordingError>;
    /** Gives the run's lease that much time from now. */
    readonly renew: (
      run: RunKey & { readonly lease_ms?: number | undefined },
    ) => Effect.Effect<
      RecordedHead,
      DatabaseError | RunNotFound | TraceSealed | LeaseLost | InvalidInput
    >;
    readonly seal: (input: SealRecording) => Effect.Effect<SealedTrace, RecordingError>;
  }
>()("@runproof/spine-coordinators/logs/RecordingCoordinator") {
  static readonly layer: Layer.Layer<
    RecordingCoordinator,
    never,
    LogsBridge | PoliciesBridge | IncidentsBridge
  > = Layer.effect(
    RecordingCoordinator,
    Effect.gen(function* () {
      const doors = {
        logs: yield* LogsBridge,
        policies: yield* PoliciesBridge,
        incidents: yield* IncidentsBridge,
      };
      return RecordingCoordinator.of({
        start: start(doors),
        record: record(doors),
        ask: ask(doors),
        renew: renew(doors.logs),
        seal: seal(doors.logs),
      });
    }),
  );
}

type Logs = LogsBridge["Service"];

const leaseOf = (lease_ms: number = RECORDED_LEASE_MS): Effect.Effect<number, InvalidInput> =>
  Number.isInteger(lease_ms) && lease_ms >= 1 && lease_ms <= LEASE_MS_MAX
    ? Effect.succeed(lease_ms)
    : Effect.fail(
        new InvalidInput({
          what: `must be an integer from 1 to ${LEASE_MS_MAX}`,
          where: "lease_ms",
          remedy: "Give the milliseconds that the run may stay silent, or leave it out.",
        }),
      );

const taken = <A>(make: () => A, root: string): Effect.Effect<A, InvalidInput> =>
  Effect.mapError(refusable(make), (refusal) => invalidInput(refusal, root));

/** What a run that is recorded call by call is written through. */
interface Doors {
  readonly logs: Logs;
  readonly policies: PoliciesBridge["Service"];
  readonly incidents: IncidentsBridge["Service"];
}

/** A run that says what it does before or as it does it stands under its tenant's policy; what was observed does not. */
const isAsked = (capture: Capture): boolean => capture === "gated" || capture === "inline";

const guardOf = ({ policies }: Doors, tenant_id: string, version?: number | null) =>
  Effect.provideService(Guard.load(tenant_id, version), PoliciesBridge, policies);

const claimOf = (
  key: string | undefined,
  asked: object,
): Effect.Effect<IdempotencyClaim | undefined, InvalidInput> =>
  key === undefined
    ? Effect.succeed(undefined)
    : Effect.map(
        taken(() => canonicalize(asked, PARSED_LIMITS), "run"),
        (text) => ({ key, request_hash: sha256(text) }),
      );

const start = (doors: Doors) =>
  Effect.fn("RecordingCoordinator.start")(function* ({
    lease_ms,
    idempotency_key,
    ...asked
  }: StartRecording) {
    const lease = yield* leaseOf(lease_ms);
    const claim = yield* claimOf(idempotency_key, { ...asked, lease_ms: lease });
    const created_at = yield* now;
    const run_id = asked.run_id ?? randomUUID();
    const input: TraceInput = {
      ...asked,
      run_id,
      correlation_id: asked.correlation_id ?? run_id,
      trace_id: randomUUID(),
      started_at: asked.started_at ?? created_at,
      created_at,
    };
    const version = isAsked(input.capture)
      ? (yield* guardOf(doors, input.tenant_id)).policy_version
      : null;
    const notes = version === null ? {} : { policy: { version } };
    const trace = yield* taken(() => prepareTrace(input, { ...TELLING, notes }), "run");
    const write = { trace, input, lease_ms: lease, telling: TELLING, claim };
    const { logs, incidents } = doors;
    const { tenant_id, trace_id } = input;
    const starting = Effect.gen(function* () {
      const { writer, mismatch } = yield* TraceWriter.start(logs.sink, write);
      if (mismatch !== undefined) return yield* mismatch;
      return { tenant_id, run_id, trace_id, next_index: 0, link: writer.link };
    });
    return yield* starting.pipe(
      Effect.tapErrorTag("RunRefused", (refused) => Effect.ignore(incidents.refused(refused))),
      // The first answer was lost: the run is there, and may have gone on since.
      Effect.catchTag(["RunRepeated", "IdempotencyInProgress"], (repeated) =>
        Effect.gen(function* () {
          const first = { tenant_id, run_id: repeated.run_id };
          const { head, trace_id: begun } = yield* logs.resuming.trace(first);
          if (head === null) return yield* repeated;
          return { ...first, trace_id: begun, next_index: head.next_index, link: head.link };
        }),
      ),
    );
  });

/** The trace of a run, with its head; a sealed one is `TraceSealed`. */
const openTrace = Effect.fnUntraced(function* (logs: Logs, { tenant_id, run_id }: RunKey) {
  const trace = yield* logs.resuming.trace({ tenant_id, run_id });
  const { head, trace_id, status } = trace;
  if (head === null) return yield* new TraceSealed({ trace_id, status });
  return { ...trace, head };
});

type Open = OpenTrace & { readonly head: NonNullable<OpenTrace["head"]> };

/** A writer that goes on with an open trace. */
export const resumeTrace = ({ sink }: Logs, { trace_id, head, ...input }: Open): TraceWriter => {
  const { capture, is_synthetic, synthetic_scenario_id } = input;
  return TraceWriter.resume(sink, {
    input: { trace_id, capture, is_synthetic, synthetic_scenario_id },
    head,
    lease_ms: RECORDED_LEASE_MS,
    telling: TELLING,
  });
};

/** Steps as the guard lets them be recorded, up to the first intent that it blocks. */
interface Ruled {
  readonly drafts: ReadonlyArray<StepDraft>;
  readonly blocked: { readonly draft: StepDraft; readonly by: Blocked } | null;
}

/** Asks the guard about steps that begin at an index. One that is done already carries what would have been said. */
const ruled = Effect.fnUntraced(function* (
  doors: Doors,
  trace: Open,
  { tenant_id, steps }: RecordSteps,
  first_index: number,
): Effect.fn.Return<Ruled, DatabaseError | StoredDataUnreadable> {
  if (!isAsked(trace.capture)) return { drafts: steps, blocked: null };
  const guard = yield* guardOf(doors, tenant_id, trace.policy_version);
  const elapsed_ms = (yield* Clock.currentTimeMillis) - Date.parse(trace.started_at);
  const drafts: Array<StepDraft> = [];
  for (const [at, draft] of steps.entries()) {
    // What answers an intent was decided with it.
    if (draft.intent_index !== null || draft.status === "skipped") {
      drafts.push(draft);
      continue;
    }
    const { skill_id, params } = draft;
    const spent = { steps: first_index + at, elapsed_ms };
    const ruling = yield* guard.decide({ skill_id, params }, spent);
    if (ruling.effect !== "block") drafts.push({ ...draft, decision: ruling });
    else if (draft.status === "intended") return { drafts, blocked: { draft, by: ruling } };
    else {
      const { policy_version, rule, reason } = ruling;
      const note = { decision: "WARNED", version: policy_version, rule, reason };
      drafts.push({ ...draft, decision: { effect: "warn", note, bound: null } });
    }
  }
  return { drafts, blocked: null };
});

/** Records steps behind each other: all or none. */
const write = (logs: Logs, writer: TraceWriter, drafts: ReadonlyArray<StepDraft>) => {
  const [only, ...others] = drafts;
  if (only === undefined) return Effect.void;
  if (others.length === 0) return writer.record(only);
  return Effect.forEach(drafts, writer.stage, { discard: true }).pipe(
    Effect.andThen(writer.flush()),
    logs.transactions.atomically,
  );
};

/** Records an intent that is blocked as skipped, and seals its run: it is over. */
const block = Effect.fnUntraced(function* (
  { logs, incidents }: Doors,
  writer: TraceWriter,
  { tenant_id, run_id }: RunKey,
  { draft, by }: NonNullable<Ruled["blocked"]>,
) {
  const writing = { incidents, transactions: logs.transactions };
  const ended = yield* recordBlocked(writing, writer, { ...draft, params: draft.params }, by);
  const reason = `step ${ended.step_index} was blocked`;
  yield* seal(logs)({ tenant_id, run_id, status: "aborted", reason });
  return yield* ended;
});

const record =
  (doors: Doors) =>
  (input: RecordSteps): Effect.Effect<RecordedSteps, RecordingError> => {
    const { logs } = doors;
    const attempt = Effect.gen(function* () {
      const { tenant_id, run_id, steps, first_index } = input;
      if (steps.length < 1 || steps.length > RECORDED_STEPS_MAX) {
        return yield* new InvalidInput({
          what: `must be 1 to ${RECORDED_STEPS_MAX} steps`,
          where: "steps",
          remedy: "Send them in several calls.",
        });
      }
      const trace = yield* openTrace(logs, input);
      const { trace_id, head } = trace;
      const writer = resumeTrace(logs, trace);
      const answer = (first: number, link: string) => ({
        tenant_id,
        run_id,
        trace_id,
        first_index: first,
        next_index: first + steps.length,
        link,
      });
      const ruling = yield* ruled(doors, trace, input, first_index ?? head.next_index);
      if (first_index !== undefined && first_index !== head.next_index) {
        const link = yield* linkOfRepeated(logs, writer, { ...ruling, first_index });
        if (link !== null) return answer(first_index, link);
        const detail = `the next step is ${head.next_index}, and not ${first_index}`;
        return yield* new ChainMoved({ trace_id, detail });
      }
      // What is done already is recorded whatever is said of what comes after it.
      yield* write(logs, writer, ruling.drafts);
      if (ruling.blocked !== null) return yield* block(doors, writer, input, ruling.blocked);
      return answer(head.next_index, writer.link);
    }).pipe(Effect.mapError((error) => (isRefusal(error) ? invalidInput(error, "step") : error)));
    // Another caller was faster: the steps go behind its own, unless they were to have an index of their own.
    return Effect.retry(attempt, {
      times: TRIES_MAX,
      while: (error) => error._tag === "ChainMoved" && input.first_index === undefined,
    });
  };

const ask = (doors: Doors) => (run: RunKey, step: StepDraft) =>
  Effect.gen(function* () {
    const trace = yield* openTrace(doors.logs, run);
    const asked = { ...run, steps: [{ ...step, ...INTENDED }] };
    const { blocked } = yield* ruled(doors, trace, asked, trace.head.next_index);
    if (blocked !== null) return yield* block(doors, resumeTrace(doors.logs, trace), run, blocked);
  }).pipe(
    Effect.mapError((error) => (isRefusal(error) ? invalidInput(error, "step") : error)),
    Effect.retry({ times: TRIES_MAX, while: ({ _tag }) => _tag === "ChainMoved" }),
  );

/** The link after steps that are recorded already as they are sent now; null where anything differs. */
const linkOfRepeated = Effect.fnUntraced(function* (
  logs: Logs,
  writer: TraceWriter,
  { drafts, blocked, first_index }: Ruled & { readonly first_index: number },
) {
  if (blocked !== null) return null;
  const indexes = drafts.map((_, at) => first_index + at);
  const recorded = yield* logs.resuming.steps({ trace_id: writer.trace_id, indexes });
  if (recorded.length !== drafts.length) return null;
  for (const [at, found] of recorded.entries()) {
    const isSame = yield* refusable(() => saysTheSame(writer, drafts[at]!, found));
    if (!isSame) return null;
  }
  return recorded.at(-1)!.link;
});

type Recorded = Effect.Success<ReturnType<Logs["resuming"]["steps"]>>[number];

/** What a record says for itself: its commitments are salted anew each time, and what they hold is compared beside them. */
const saidBy = (text: string, leaves_out: ReadonlyArray<string>): string =>
  JSON.stringify(
    Object.entries((parseCanonical(text) ?? {}) as JsonObject).filter(
      ([key]) => !["params", "outcome_data", "attributes", ...leaves_out].includes(key),
    ),
  );

/** Whether a draft says what a recorded step says, as far as that is not erased. `leaves_out` are fields that may differ. */
export const saysTheSame = (
  writer: TraceWriter,
  draft: StepDraft,
  found: Recorded,
  leaves_out: ReadonlyArray<string> = [],
): boolean => {
  const record = (parseCanonical(found.record) ?? {}) as JsonObject;
  const { timestamp } = record;
  const at = typeof timestamp === "string" ? timestamp : "";
  const again: PreparedStep = writer.preview(draft, found.step_index, at);
  const isSamePayload = (["params", "outcome_data", "attributes"] as const).every((name) => {
    const payload = again.payloads[name];
    if ((record[name] === null) !== (payload === null)) return false;
    return found[name] === null || found[name] === payload?.text;
  });
  return isSamePayload && saidBy(found.record, leaves_out) === saidBy(again.record, leaves_out);
};

const renew = (logs: Logs) =>
  Effect.fn("RecordingCoordinator.renew")(function* ({
    lease_ms,
    ...run
  }: RunKey & { readonly lease_ms?: number | undefined }) {
    const lease = yield* leaseOf(lease_ms);
    const { trace_id, head } = yield* openTrace(logs, run);
    const { holderOf, renewLease } = logs.sink;
    const isHeld = yield* renewLease({ trace_id, holder: holderOf(trace_id), lease_ms: lease });
    if (!isHeld) return yield* new LeaseLost({ trace_id });
    return { ...run, trace_id, next_index: head.next_index, link: head.link };
  });

const seal =
  (logs: Logs) =>
  ({
    status,
    reason,
    metadata,
    ...run
  }: SealRecording): Effect.Effect<SealedTrace, RecordingError> =>
    Effect.gen(function* () {
      const trace = yield* openTrace(logs, run);
      const sealed_at = yield* now;
      const { trace_id } = trace;
      const times = { completed_at: sealed_at, sealed_at };
      const prepared = yield* taken(
        () => prepareSeal({ trace_id, status, reason, metadata, ...times }, TELLING),
        "seal",
      );
      return yield* resumeTrace(logs, trace).seal(prepared, status);
    }).pipe(
      // A step came between: it is part of what is sealed.
      Effect.retry({ times: TRIES_MAX, while: ({ _tag }) => _tag === "ChainMoved" }),
    );

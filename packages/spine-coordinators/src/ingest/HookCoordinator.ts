/**
 * Takes what a coding agent's hooks tell of its session, event by event: each call of a tool is asked for and recorded before
 * it acts, and its outcome after. It keeps nothing between two events, so any process of a service goes on with any session.
 */
import type { JsonObject, JsonValue } from "@runproof/proof/CanonicalJson";
import { parseCanonical } from "@runproof/proof/JsonText";
import { InvalidInput, type StepBlocked, TraceSealed } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { LEASE_MS_MAX, LogsBridge, type StartError } from "../logs/LogsBridge.ts";
import { RecordingCoordinator, type RecordingError } from "../logs/RecordingCoordinator.ts";
import { INTENDED, type StepDraft } from "../logs/StepDraft.ts";

/** Runs of one session: it goes on with another where one was sealed, since a call was blocked or it was resumed. */
const RUNS_OF_A_SESSION_MAX = 64;

/** Tries where another event of the session is recorded at the same time. */
const TRIES_MAX = 16;

/** A call of a tool, as its hooks name it. */
export interface HookedCall {
  /** What the agent calls this call: the same before and after it. */
  readonly call_id: string;
  readonly tool: string;
  readonly input: JsonValue;
  /** What else is said of it. */
  readonly attributes: Readonly<Record<string, JsonValue>>;
}

/** What became of a call. */
export interface HookedOutcome {
  readonly status: "success" | "failure";
  readonly output: JsonValue | undefined;
}

/** The session that a hook speaks of. */
export interface HookedSession {
  readonly tenant_id: string;
  readonly session_id: string;
  readonly agent: string;
  /** `gated` only where the agent does not act without an answer. */
  readonly capture: "gated" | "inline";
}

type HookError = RecordingError | StartError;

/** Takes hooks. Each answer stands for what is durable. */
export class HookCoordinator extends Context.Service<
  HookCoordinator,
  {
    /** Before a call acts; the answer is why it may not, or null. */
    readonly before: (
      session: HookedSession,
      call: HookedCall,
    ) => Effect.Effect<string | null, HookError>;
    readonly after: (
      session: HookedSession,
      call: HookedCall,
      outcome: HookedOutcome,
    ) => Effect.Effect<void, HookError>;
    /** Anything else of a session that goes on. */
    readonly alive: (session: HookedSession) => Effect.Effect<void, HookError>;
    /** Seals the session's run. One with calls whose end nobody told is aborted. */
    readonly end: (session: HookedSession, reason: string | null) => Effect.Effect<void, HookError>;
  }
>()("@runproof/spine-coordinators/ingest/HookCoordinator") {
  static readonly layer: Layer.Layer<HookCoordinator, never, LogsBridge | RecordingCoordinator> =
    Layer.effect(
      HookCoordinator,
      Effect.gen(function* () {
        const doors = { logs: yield* LogsBridge, recording: yield* RecordingCoordinator };
        return HookCoordinator.of({
          before: before(doors),
          after: after(doors),
          alive: alive(doors),
          end: end(doors),
        });
      }),
    );
}

interface Doors {
  readonly logs: LogsBridge["Service"];
  readonly recording: RecordingCoordinator["Service"];
}

const keysOf = ({ call_id }: Pick<HookedCall, "call_id">) => ({
  before: `hook:${call_id}:before`,
  after: `hook:${call_id}:after`,
});

const nameOf = (session_id: string, nth: number): string =>
  nth === 1 ? session_id : `${session_id}~${nth}`;

const tooMany = (session_id: string) =>
  new InvalidInput({
    what: `the session has ${RUNS_OF_A_SESSION_MAX} runs already`,
    where: `session ${session_id}`,
    remedy: "Begin another session.",
  });

/** What a session's events go to: its open run, or a sealed one that has the call already. */
const runOf = Effect.fnUntraced(function* (
  { logs, recording }: Doors,
  { tenant_id, session_id, agent, capture }: HookedSession,
  keys: ReadonlyArray<string>,
) {
  for (let nth = 1; nth <= RUNS_OF_A_SESSION_MAX; nth += 1) {
    const run = { tenant_id, run_id: nameOf(session_id, nth) };
    const open = yield* logs.resuming.trace(run).pipe(
      Effect.catchTag("RunNotFound", () =>
        recording
          .start({
            ...run,
            correlation_id: session_id,
            agent_id: agent,
            origin_system_id: agent,
            incident_id: null,
            replay_of: null,
            attributes: {},
            seed: null,
            frozen_timestamp: null,
            is_synthetic: false,
            synthetic_scenario_id: null,
            redaction: null,
            capture,
            lease_ms: LEASE_MS_MAX,
          })
          // Another event of the session was faster.
          .pipe(
            Effect.catchTag("RunExists", () => Effect.void),
            Effect.andThen(logs.resuming.trace(run)),
          ),
      ),
    );
    const { trace_id } = open;
    const steps = keys.length === 0 ? [] : yield* logs.resuming.steps({ trace_id, keys });
    if (open.head !== null || steps.length > 0) {
      const recorded = new Map(steps.map((step) => [step.idempotency_key, step]));
      return { ...open, run, recorded };
    }
  }
  return yield* tooMany(session_id);
});

const draftOf = ({ tool, input, attributes }: HookedCall) => ({
  skill_id: tool,
  skill_name: tool,
  source: "external" as const,
  params: input,
  attributes,
  parent_step_index: null,
  started_at: null,
  retry_count: 0,
  replay_behavior: "check" as const,
});

const intentOf = (call: HookedCall): StepDraft => ({
  ...draftOf(call),
  ...INTENDED,
  idempotency_key: keysOf(call).before,
});

const outcomeOf = (
  call: HookedCall,
  { status, output }: HookedOutcome,
  intent_index: number | null,
): StepDraft => {
  const { params, attributes, ...fields } = draftOf(call);
  return {
    ...fields,
    // An outcome's own are those of its intent.
    ...(intent_index === null ? { params, attributes } : {}),
    status,
    intent_index,
    outcome_category: status === "success" ? "SUCCESS" : "PERMANENT",
    outcome_code: null,
    ...(output === undefined ? {} : { outcome_data: output }),
    cost_cents: null,
    duration_ms: null,
    idempotency_key: keysOf(call).after,
  };
};

/** Tries again where another event came between: its step may be this very one, sent twice. */
const again = <A, E extends { readonly _tag: string }>(attempt: Effect.Effect<A, E>) =>
  Effect.retry(attempt, {
    times: TRIES_MAX,
    while: ({ _tag }) => _tag === "ChainMoved",
  });

const before = (doors: Doors) => (session: HookedSession, call: HookedCall) =>
  again(
    Effect.gen(function* () {
      const { recording } = doors;
      const { before: key } = keysOf(call);
      const { run, capture, head, recorded } = yield* runOf(doors, session, [key]);
      const earlier = recorded.get(key);
      // It was asked before, and the answer lost.
      if (earlier !== undefined) return wasBlocked(earlier.record) ? BLOCKED_BEFORE : null;
      if (head === null) return null;
      const intent = intentOf(call);
      yield* capture === "gated"
        ? recording.record({ ...run, steps: [intent], first_index: head.next_index })
        : recording.ask(run, intent);
      yield* recording.renew({ ...run, lease_ms: LEASE_MS_MAX });
      return null;
    }),
  ).pipe(Effect.catchTag("StepBlocked", ({ what }: StepBlocked) => Effect.succeed(what)));

const BLOCKED_BEFORE = "this call was blocked before";

const wasBlocked = (record: string): boolean =>
  (parseCanonical(record) as JsonObject | undefined)?.["status"] === "skipped";

const after =
  (doors: Doors) => (session: HookedSession, call: HookedCall, outcome: HookedOutcome) =>
    again(
      Effect.gen(function* () {
        const { recording } = doors;
        const keys = keysOf(call);
        const { run, trace_id, status, capture, head, recorded } = yield* runOf(doors, session, [
          keys.before,
          keys.after,
        ]);
        if (recorded.has(keys.after)) return;
        if (head === null) return yield* new TraceSealed({ trace_id, status });
        const { next_index: first_index } = head;
        const intent = recorded.get(keys.before);
        if (capture !== "gated" || intent !== undefined) {
          const step = outcomeOf(call, outcome, intent?.step_index ?? null);
          yield* recording.record({ ...run, steps: [step], first_index });
          return;
        }
        // Nobody asked before it acted: the record says so.
        const unasked = {
          ...call,
          attributes: { ...call.attributes, intent: "told after the act" },
        };
        yield* recording.record({
          ...run,
          steps: [intentOf(unasked), outcomeOf(unasked, outcome, first_index)],
          first_index,
        });
      }),
    );

const alive = (doors: Doors) => (session: HookedSession) =>
  again(
    Effect.gen(function* () {
      const { run } = yield* runOf(doors, session, []);
      yield* doors.recording.renew({ ...run, lease_ms: LEASE_MS_MAX });
    }),
  );

const end = (doors: Doors) =>
  Effect.fnUntraced(function* (session: HookedSession, why: string | null) {
    const { logs, recording } = doors;
    const { tenant_id, session_id } = session;
    const metadata = why === null ? {} : { session_ended: why };
    for (let nth = 1; nth <= RUNS_OF_A_SESSION_MAX; nth += 1) {
      const run = { tenant_id, run_id: nameOf(session_id, nth) };
      const trace = yield* logs.resuming
        .trace(run)
        .pipe(Effect.catchTag("RunNotFound", () => Effect.succeed(null)));
      if (trace === null) return;
      if (trace.head === null) continue;
      yield* recording.seal({ ...run, status: "completed", reason: null, metadata }).pipe(
        // An act that nobody told the end of leaves the run incomplete.
        Effect.catchTag("InvalidInput", () =>
          recording.seal({
            ...run,
            status: "aborted",
            reason: "the session ended while a call was under way",
            metadata,
          }),
        ),
      );
      return;
    }
  });

/** A run that this process records: its lease is kept, and its trace is sealed however its work ends. */
import { createHash, randomUUID } from "node:crypto";
import type { Refusal } from "@runproof/proof/Refusal";
import { prepareSeal } from "@runproof/proof/SealRecord";
import { prepareTrace, type TraceInput } from "@runproof/proof/TraceRecord";
import {
  type ChainMismatch,
  type ChainMoved,
  type DatabaseError,
  DatabaseUnreachable,
  InvalidInput,
  LeaseLost,
  StepBlocked,
  type StoredDataUnreadable,
  TraceSealed,
} from "@runproof/schemas/RunProofError";
import { tellValue } from "@runproof/proof/ToldValue";
import { IDENTIFIER_CHARACTERS_MAX, isIdentifier } from "@runproof/schemas/Text";
import * as Cause from "effect/Cause";
import * as Clock from "effect/Clock";
import * as Deferred from "effect/Deferred";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Latch from "effect/Latch";
import * as Schedule from "effect/Schedule";
import { now } from "../internal/now.ts";
import { invalidInput, isRefusal, refusable } from "../internal/refused.ts";
import type { RunOutcome } from "../runs/RunOutcome.ts";
import { isUnanswered } from "../internal/BatchQueue.ts";
import { type BlockedStepDoors, type GuardedCall, recordBlocked } from "./BlockedStep.ts";
import { IncidentsBridge } from "../incidents/IncidentsBridge.ts";
import { type Blocked, type Decision, Guard } from "../policies/Guard.ts";
import type { PoliciesBridge } from "../policies/PoliciesBridge.ts";
import {
  type IdempotencyClaim,
  LEASE_MS_MAX,
  LogsBridge,
  type StartError,
  type TraceSink,
} from "./LogsBridge.ts";
import type { StepDraft } from "./StepDraft.ts";
import { type TraceToWrite, TraceWriter, type WriteError } from "./TraceWriter.ts";
import { DEFAULT_REDACTOR, NO_RULES, type WriteRules } from "./WriteRules.ts";

/** How long a trace may stay silent where the caller names no `lease_ms`: longer than a database's failover usually takes. */
export const DEFAULT_LEASE_MS = 30_000;

/** Renewals a lease's time holds: two may be lost before the third saves it. */
const RENEWALS_PER_LEASE = 3;

/** How long sealing may take when the work is over, so that a process told to end does end. The lease does it then. */
const SEAL_TIMEOUT_MS = 10_000;

/**
 * A seal whose answer was lost is sent again so often, with a pause between: a server that starts anew is back by then, and
 * what takes longer is the lease's.
 */
const SEAL_RETRIES_MAX = 30;
const SEAL_PAUSE_MS = 100;

/** Characters of an error's text that a record keeps. */
const TEXT_CHARACTERS_MAX = 1_000;

/** What a trace starts from: the trace record's fields, but for those that are made here. */
export interface BeginInput extends Omit<
  TraceInput,
  "trace_id" | "run_id" | "correlation_id" | "started_at" | "created_at"
> {
  readonly run_id?: string | undefined;
  readonly correlation_id?: string | undefined;
}

/** A request that may be sent again: its key, and what the caller asked for, whose values are compared. */
export interface Request {
  readonly idempotency_key: string;
  readonly asked: unknown;
}

/** How the work of a run ended. */
export interface Ending {
  readonly status: "completed" | "failed" | "aborted";
  /** In fixed words: whoever gets a single step of the run reads it too, and it can't be erased. */
  readonly reason: string | null;
  /** What an error says. It goes into the seal's metadata, a payload. */
  readonly detail: string | null;
  /** What else goes into the metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** What stops a run's recording for good. */
export type StopReason = WriteError | StepBlocked;

/** A trace that takes steps. */
export interface OpenTrace {
  readonly trace_id: string;
  readonly run_id: string;
  readonly tenant_id: string;
  readonly started_at: string;
  /**
   * Runs what acts and records itself as one step. It fails before it acts where it could not be recorded: once the trace
   * can't be written any more, once the run's work is over, or in a transaction that could take the record back. A run whose
   * work is over, and was not aborted, is sealed when the steps that still run have ended.
   */
  readonly takeStep: <A, E, R>(step: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StopReason, R>;
  /**
   * Decides whether a step may be taken; its drafts carry the decision. Where it may not, it is recorded as skipped beside
   * what was prevented, and the run is over: `StepBlocked`.
   */
  readonly decide: (call: GuardedCall) => Effect.Effect<Decision, StopReason>;
  /** Whether the policy would block a call, with nothing recorded. */
  readonly foresee: (call: GuardedCall) => Effect.Effect<boolean>;
  /**
   * Records a step, durable when it returns with its index. A step that no record can hold is a `Refusal`, and the run goes
   * on. Call it where it can't be interrupted: what was done must be recorded.
   */
  readonly record: (draft: StepDraft) => Effect.Effect<number, Refusal | StopReason>;
}

/** Makes and checks a trace's first record, and that the trace can be recorded from here. */
export const prepareRun = (
  begin: BeginInput,
  lease_ms: number = DEFAULT_LEASE_MS,
  request?: Request,
): Effect.Effect<
  GuardedRun,
  InvalidInput | DatabaseError | StoredDataUnreadable,
  LogsBridge | PoliciesBridge
> =>
  Effect.gen(function* () {
    yield* (yield* LogsBridge).transactions.ensureNone;
    if (!Number.isInteger(lease_ms) || lease_ms < 1 || lease_ms > LEASE_MS_MAX) {
      return yield* new InvalidInput({
        what: `must be an integer from 1 to ${LEASE_MS_MAX}`,
        where: "lease_ms",
        remedy: "Give the milliseconds that the run may stay silent, or leave it out.",
      });
    }
    const started_at = yield* now;
    const run_id = begin.run_id ?? randomUUID();
    const input: TraceInput = {
      ...begin,
      run_id,
      correlation_id: begin.correlation_id ?? run_id,
      trace_id: randomUUID(),
      started_at,
      created_at: started_at,
    };
    const guard = yield* Guard.load(begin.tenant_id);
    const telling = { values: "told", redactor: DEFAULT_REDACTOR } as const;
    const version = guard.policy_version;
    const notes = version === null ? {} : { policy: { version } };
    const trace = yield* refusable(() => prepareTrace(input, { ...telling, notes })).pipe(
      Effect.mapError((refusal) => invalidInput(refusal, "run")),
    );
    const rules: WriteRules = {
      ...NO_RULES,
      guard: (draft) => (guard.hasMade(draft.decision) ? Effect.void : Effect.fail(undecided())),
    };
    const claim = request === undefined ? undefined : yield* claimOf(request);
    return { trace, input, lease_ms, telling, claim, rules, policy_guard: guard };
  });

const claimOf = ({
  idempotency_key: key,
  asked,
}: Request): Effect.Effect<IdempotencyClaim, InvalidInput> =>
  isIdentifier(key)
    ? Effect.sync(() => ({
        key,
        request_hash: createHash("sha256").update(tellValue("request", asked).text).digest("hex"),
      }))
    : Effect.fail(
        new InvalidInput({
          what: `must be 1 to ${IDENTIFIER_CHARACTERS_MAX} characters, and no U+0000`,
          where: "idempotency_key",
          remedy: "Give a key of its own to each request, such as a UUID.",
        }),
      );

/** A run to record, with the guard of its steps. */
export interface GuardedRun extends TraceToWrite {
  readonly policy_guard: Guard;
}

const undecided = () =>
  new InvalidInput({
    what: "nobody decided whether this step may be taken: it went past the guard",
    where: "step",
    remedy: "Take steps through TracedRun.step or a plan; each asks the guard before it acts.",
  });

/** What came of the work, and of the trace. */
export interface Recorded<A, E> {
  readonly exit: Exit.Exit<A, E | StopReason>;
  readonly outcome: RunOutcome;
  /** Why the trace could not be sealed as the work ended, and is `aborted`; null where it is sealed so. */
  readonly seal_error: StopReason | null;
}

/**
 * Starts the trace, gives it to `use`, and seals it by how `use` ends: `endingOf` decides for a success or a failure;
 * a defect or an interruption is always `aborted`, and so is a run whose recording was stopped. When this returns, the
 * trace is sealed, unless it fails: then the seal could not be written or can't be believed, and the lease ends it.
 * Steps in other fibers that outlive `use` are waited for, but by a run that is aborted: its seal says how many ran.
 */
export const recordRun = <A, E, R>(
  run: GuardedRun,
  use: (trace: OpenTrace) => Effect.Effect<A, E, R>,
  endingOf: (exit: Exit.Exit<A, E>) => Ending,
  onSealed: (outcome: RunOutcome) => Effect.Effect<void> = () => Effect.void,
): Effect.Effect<Recorded<A, E>, StartError | StopReason, R | LogsBridge | IncidentsBridge> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const writer = yield* beginTrace(run);
      const keeper = yield* Effect.forkChild(keepLease(writer));
      const told = yield* Latch.make(false);
      const hurry = yield* Effect.forkChild(
        Effect.andThen(told.await, writer.writer.hurry(SEAL_TIMEOUT_MS)),
      );
      const orStopped = <B, F, S>(effect: Effect.Effect<B, F, S>) => {
        let isOver = false;
        const over = Effect.sync(() => {
          isOver = true;
        });
        return Effect.raceFirst(
          // Interrupted before the work is over, the run was told to end.
          Effect.onInterrupt(Deferred.await(writer.stopped), () =>
            isOver ? Effect.void : told.open,
          ),
          Effect.ensuring(effect, over),
        );
      };
      const work = Effect.andThen(ensureOpen(writer), orStopped(use(writer.trace)));
      const worked = yield* Effect.exit(restore(work));
      const { status } = endingFor(writer, worked, endingOf);
      writer.ending_status = status;
      const exit =
        status === "aborted" || writer.steps_in_flight === 0
          ? worked
          : yield* Effect.exit(restore(Effect.andThen(orStopped(writer.idle.await), worked)));
      const sealed = yield* sealTrace(writer, endingFor(writer, exit, endingOf)).pipe(
        Effect.onExit(() => Fiber.interruptAll([keeper, hurry])),
      );
      yield* onSealed(sealed.outcome);
      return { exit, ...sealed };
    }),
  );

interface Writer {
  readonly trace: OpenTrace;
  readonly writer: TraceWriter;
  readonly ensureNoTransaction: Effect.Effect<void, InvalidInput>;
  readonly lease_ms: number;
  /** Fails once the trace can't be written any more. */
  readonly stopped: Deferred.Deferred<never, StopReason>;
  /** Why, once it did. */
  stop_reason: StopReason | null;
  /** How the run ends, once its work is over: no step begins any more. */
  ending_status: Ending["status"] | null;
  /** Steps that act and are not recorded yet. */
  steps_in_flight: number;
  /** Open while no step is in flight. */
  readonly idle: Latch.Latch;
}

const beginTrace = Effect.fnUntraced(function* (run: GuardedRun) {
  const { sink, transactions } = yield* LogsBridge;
  const incidents = yield* IncidentsBridge;
  const { input, lease_ms } = run;
  const started_ms = yield* monotonic_ms;
  const guard = run.policy_guard;
  const { writer, mismatch } = yield* TraceWriter.start(sink, run).pipe(
    answerWithin(lease_ms),
    // Told of where people look for it; that it was refused stands, whether it could be told or not.
    Effect.tapErrorTag("RunRefused", (refused) => Effect.ignore(incidents.refused(refused))),
    // It may have started all the same: then it must not stay open for as long as its lease.
    Effect.tapError((error) =>
      isUnanswered(error)
        ? Effect.ignore(abortUnanswered(sink, input.trace_id, error))
        : Effect.void,
    ),
  );
  const recorded: Writer = {
    trace: {
      trace_id: input.trace_id,
      run_id: input.run_id,
      tenant_id: input.tenant_id,
      started_at: input.started_at,
      takeStep: (step) =>
        Effect.acquireUseRelease(
          beginStep(recorded),
          () => step,
          () => endStep(recorded),
        ),
      record: (draft) =>
        Effect.tap(recordStep(recorded, draft), () => Effect.sync(() => guard.count(draft))),
      foresee: (call) =>
        Effect.map(guard.foresee(call), ({ ruling }) => ruling?.effect === "block"),
      decide: Effect.fnUntraced(function* (call) {
        yield* ensureOpen(recorded);
        const elapsed_ms = (yield* monotonic_ms) - started_ms;
        const decided = yield* guard.decide(call, { steps: writer.step_count, elapsed_ms });
        if (decided.effect !== "block") return decided;
        return yield* blockStep(recorded, { incidents, transactions }, call, decided);
      }),
    },
    writer,
    ensureNoTransaction: transactions.ensureNone,
    lease_ms,
    stopped: yield* Deferred.make<never, StopReason>(),
    stop_reason: null,
    ending_status: null,
    steps_in_flight: 0,
    idle: yield* Latch.make(true),
  };
  if (mismatch !== undefined) yield* stop(recorded, mismatch);
  return recorded;
});

const abortUnanswered = Effect.fnUntraced(function* (
  sink: TraceSink,
  trace_id: string,
  error: unknown,
) {
  const sealed_at = yield* now;
  const ending = aborted(because("the run could not be started", error));
  const { status, reason } = ending;
  const seal = prepareSeal(
    {
      trace_id,
      status,
      reason,
      metadata: metadataOf(ending),
      completed_at: sealed_at,
      sealed_at,
    },
    { values: "told", redactor: DEFAULT_REDACTOR },
  );
  const holder = sink.holderOf(trace_id);
  yield* sink.seal({ trace_id, holder, seal }).pipe(answerWithin(SEAL_TIMEOUT_MS));
});

const recordStep = Effect.fnUntraced(function* (
  writer: Writer,
  draft: StepDraft,
): Effect.fn.Return<number, Refusal | StopReason> {
  yield* ensureOpen(writer);
  return yield* writer.writer.record(draft).pipe(
    // What can't be said changes nothing; anything else ends the recording.
    Effect.tapError((error) => (isRefusal(error) ? Effect.void : stop(writer, error))),
  );
});

/** Records that a step was not taken, and why, and ends the run by it. */
const blockStep = Effect.fnUntraced(function* (
  recorded: Writer,
  doors: BlockedStepDoors,
  call: GuardedCall,
  blocked: Blocked,
): Effect.fn.Return<never, StopReason> {
  const ended = yield* recordBlocked(doors, recorded.writer, call, blocked).pipe(
    Effect.mapError((error) => (isRefusal(error) ? invalidInput(error, "step") : error)),
    Effect.tapError((error) => stop(recorded, error)),
  );
  yield* stop(recorded, ended);
  return yield* ended;
});

const beginStep = Effect.fnUntraced(function* (writer: Writer) {
  yield* writer.ensureNoTransaction;
  yield* ensureOpen(writer);
  const { ending_status, trace } = writer;
  if (ending_status !== null) {
    return yield* new TraceSealed({ trace_id: trace.trace_id, status: ending_status });
  }
  writer.steps_in_flight += 1;
  writer.idle.closeUnsafe();
});

const endStep = (writer: Writer): Effect.Effect<void> =>
  Effect.sync(() => {
    writer.steps_in_flight -= 1;
    if (writer.steps_in_flight === 0) writer.idle.openUnsafe();
  });

const ensureOpen = ({ stop_reason }: Writer): Effect.Effect<void, StopReason> =>
  stop_reason === null ? Effect.void : Effect.fail(stop_reason);

const stop = (writer: Writer, reason: StopReason): Effect.Effect<void> => {
  writer.stop_reason ??= reason;
  return Effect.asVoid(Deferred.fail(writer.stopped, reason));
};

/** Gives up on a database that does not answer. The wait can be ended also where the caller can't be interrupted. */
const answerWithin =
  (timeout_ms: number) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DatabaseUnreachable, R> =>
    Effect.timeoutOrElse(Effect.interruptible(effect), {
      duration: Duration.millis(timeout_ms),
      orElse: () =>
        Effect.fail(
          new DatabaseUnreachable({
            url: "the configured address",
            detail: `no answer within ${timeout_ms} ms`,
          }),
        ),
    });

/** Renews the lease as long as the run lives; stops the run when another holds it or its time is over. */
const keepLease = Effect.fnUntraced(function* (run: Writer) {
  const { lease_ms, writer } = run;
  const pause_ms = lease_ms / RENEWALS_PER_LEASE;
  let renewed_ms = yield* monotonic_ms;
  for (;;) {
    yield* Effect.sleep(Duration.millis(pause_ms));
    const asked_ms = yield* monotonic_ms;
    const exit = yield* writer.renewLease().pipe(answerWithin(pause_ms), Effect.exit);
    const isLost = Exit.isSuccess(exit) && !exit.value;
    if (Exit.isSuccess(exit) && exit.value) renewed_ms = asked_ms;
    if (isLost || (yield* monotonic_ms) - renewed_ms >= lease_ms) {
      return yield* stop(run, new LeaseLost({ trace_id: writer.trace_id }));
    }
  }
});

const monotonic_ms = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n));

const endingFor = <A, E>(
  writer: Writer,
  exit: Exit.Exit<A, E | StopReason>,
  endingOf: (exit: Exit.Exit<A, E>) => Ending,
): Ending => {
  const why = abortReason(writer, exit);
  if (why !== null) return aborted({ ...why, reason: `${why.reason}${stepsCutOff(writer)}` });
  // Nothing stopped the recording, so any failure left is the work's own.
  return endingOf(exit as Exit.Exit<A, E>);
};

/** Why a run ended, as `Ending` says it. */
type Why = Pick<Ending, "detail"> & { readonly reason: string };

const abortReason = ({ stop_reason }: Writer, exit: Exit.Exit<unknown, unknown>): Why | null => {
  if (stop_reason instanceof StepBlocked) {
    const { step_index, what } = stop_reason;
    return { reason: `step ${step_index} was blocked`, detail: recordText(what) };
  }
  if (stop_reason !== null) return because("the run could not be recorded", stop_reason);
  if (Exit.isSuccess(exit)) return null;
  if (Cause.hasInterruptsOnly(exit.cause)) {
    return { reason: "the run was interrupted", detail: null };
  }
  return Cause.hasDies(exit.cause) ? because("the run died", Cause.squash(exit.cause)) : null;
};

/** What happened, by which kind of error; what the error says is the detail. */
export const because = (what: string, error: unknown): Why => {
  const kind = kindOf(error);
  return { reason: kind === null ? what : `${what}: ${kind}`, detail: recordText(describe(error)) };
};

/** What a program calls its errors. Other text in a tag or name is data, and is not for everyone. */
const KIND = /^[A-Za-z_$][\w.$/@-]{0,99}$/u;

const kindOf = (error: unknown): string | null => {
  const tag = tagOf(error);
  return tag !== null && KIND.test(tag) ? tag : null;
};

/** An error's tag, or its name; null where it has neither. */
export const tagOf = (error: unknown): string | null => {
  if (typeof error !== "object" || error === null) return null;
  if ("_tag" in error && typeof error._tag === "string") return error._tag;
  return error instanceof Error ? error.name : null;
};

/** An error's tag and text. */
export const describe = (error: unknown): string => {
  const tag = tagOf(error);
  return tag === null ? textOf(error) : `${tag}: ${textOf(error)}`;
};

/** What an aborted run's reason says of steps that went on in other fibers. */
const stepsCutOff = ({ steps_in_flight }: Writer): string =>
  steps_in_flight === 0
    ? ""
    : `; ${steps_in_flight === 1 ? "1 step was" : `${steps_in_flight} steps were`} still under way, and what came of it is not recorded`;

const aborted = (why: Why) => ({ status: "aborted" as const, ...why });

const metadataOf = ({ detail, metadata }: Ending): unknown =>
  detail === null ? metadata : { ...metadata, detail };

const textOf = (error: unknown): string => {
  if (error instanceof Error) return error.message === "" ? error.name : error.message;
  return typeof error === "string" ? error : "an error with no message";
};

/** A text as a record may hold it: valid Unicode, no U+0000, not long. */
export const recordText = (text: string): string => {
  // Masked before it is cut: half a secret is none that the rules know.
  const valid = (text.length <= TEXT_CHARACTERS_MAX ? text : DEFAULT_REDACTOR.text(text))
    .toWellFormed()
    .replaceAll("\u0000", "\ufffd");
  return valid.length <= TEXT_CHARACTERS_MAX
    ? valid
    : `${valid.slice(0, TEXT_CHARACTERS_MAX).toWellFormed()}…`;
};

/** Seals the trace, when no step is being written; where it can't be sealed as it ended, as `aborted`. */
const sealTrace = (
  writer: Writer,
  ending: Ending,
): Effect.Effect<Pick<Recorded<never, never>, "outcome" | "seal_error">, StopReason> => {
  const sealed = (as: Ending, seal_error: StopReason | null) =>
    Effect.map(writeSeal(writer, as), (outcome) => ({ outcome, seal_error }));
  return sealed(ending, null).pipe(
    Effect.catchIf(
      (error) => ending.status !== "aborted" && error._tag !== "ChainMismatch",
      (error) =>
        sealed(aborted(because("the run could not be sealed", error)), error).pipe(
          // The first error is what went wrong; that aborting failed too follows from it.
          Effect.mapError(() => error),
        ),
    ),
  );
};

const writeSeal = Effect.fnUntraced(function* (
  writer: Writer,
  ending: Ending,
): Effect.fn.Return<RunOutcome, StopReason> {
  const { trace, stop_reason } = writer;
  const { status, reason, detail } = ending;
  const { trace_id } = trace;
  const sealed_at = yield* now;
  const seal = yield* refusable(() =>
    prepareSeal(
      {
        trace_id,
        status,
        reason,
        metadata: metadataOf(ending),
        completed_at: sealed_at,
        sealed_at,
      },
      { values: "told", redactor: DEFAULT_REDACTOR },
    ),
  ).pipe(Effect.mapError((refusal) => invalidInput(refusal, "seal")));
  const answered = yield* writer.writer.seal(seal, status).pipe(
    // The very same seal: one that was stored already is answered as stored.
    Effect.retry({
      while: isUnanswered,
      schedule: Schedule.spaced(Duration.millis(SEAL_PAUSE_MS)),
      times: SEAL_RETRIES_MAX,
    }),
    answerWithin(SEAL_TIMEOUT_MS),
    // That the seal is not over what was sent follows from what stopped the run.
    Effect.mapError((error) =>
      error._tag === "ChainMismatch" && stop_reason !== null && isForeign(stop_reason)
        ? stop_reason
        : error,
    ),
  );
  if (stop_reason !== null && isForeign(stop_reason)) return yield* stop_reason;
  return {
    run_id: trace.run_id,
    trace_id,
    tenant_id: trace.tenant_id,
    status,
    // Whoever prints them shows no more than the record does.
    reason: reason === null ? null : DEFAULT_REDACTOR.text(reason),
    detail: detail === null ? null : DEFAULT_REDACTOR.text(detail),
    root_hash: answered.root_hash,
    step_count: answered.step_count,
    started_at: trace.started_at,
    completed_at: sealed_at,
  };
});

/** Whether the chain holds what was not sent from here, so that a seal over it vouches for nothing. */
const isForeign = (error: StopReason): error is ChainMoved | ChainMismatch =>
  error._tag === "ChainMoved" || error._tag === "ChainMismatch";

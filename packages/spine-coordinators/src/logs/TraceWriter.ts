/**
 * The one way in: prepares a step, passes it by the rules, commits to its payloads, appends it, and compares what the
 * database answers with what was sent. Everything that is recorded of a run is written here.
 */
import type { SealedTrace } from "@runproof/drivers/logs/sealTrace";
import type { Refusal } from "@runproof/proof/Refusal";
import type { PreparedSeal } from "@runproof/proof/SealRecord";
import { type PreparedStep, prepareStep, type Telling } from "@runproof/proof/StepRecord";
import type { PreparedTrace, TraceInput } from "@runproof/proof/TraceRecord";
import type { ChainMismatch, InvalidInput, TraceWriteError } from "@runproof/schemas/RunProofError";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Semaphore from "effect/Semaphore";
import { now } from "../internal/now.ts";
import { refusable } from "../internal/refused.ts";
import { isUnanswered } from "../internal/BatchQueue.ts";
import { Chain, type ChainHead } from "./Chain.ts";
import type { IdempotencyClaim, StartError, TraceSink, Transactions } from "./LogsBridge.ts";
import type { StepDraft } from "./StepDraft.ts";
import { NO_RULES, type WriteRules } from "./WriteRules.ts";

/** Steps that are sent together at most, and characters of them: enough to hide a round trip, few enough to hold. */
const STAGED_STEPS_MAX = 500;
const STAGED_UNITS_MAX = 8 * 1024 * 1024;

/** What a trace can't be written for. */
export type WriteError = InvalidInput | TraceWriteError | ChainMismatch;

/** A trace to write, made and checked, with nothing stored yet. */
export interface TraceToWrite {
  readonly trace: PreparedTrace;
  readonly input: TraceInput;
  readonly lease_ms: number;
  /** The key of the request that it is begun for, if it has one. */
  readonly claim?: IdempotencyClaim | undefined;
  /** How values are committed to: told where a program has acted already, exactly where a text says them. */
  readonly telling: Telling;
  readonly rules?: WriteRules | undefined;
}

/** An open trace that another process wrote so far. */
export interface TraceToResume extends Omit<TraceToWrite, "trace" | "input"> {
  readonly input: StepContext & { readonly trace_id: string };
  readonly head: ChainHead;
}

/** What steps take from their trace. */
type StepContext = Pick<TraceInput, "capture" | "is_synthetic" | "synthetic_scenario_id">;

/** Writes one open trace. One write at a time: the others wait. */
export class TraceWriter {
  readonly #sink: TraceSink;
  readonly #write: Omit<TraceToResume, "head">;
  readonly #rules: WriteRules;
  readonly #chain: Chain;
  readonly #holder: string;
  readonly #turn = Semaphore.makeUnsafe(1);
  /** Steps that are prepared and not sent. */
  #staged: Array<PreparedStep> = [];
  #staged_units = 0;
  /** Steps that were sent last and whose answer never came. */
  #unanswered: ReadonlyArray<PreparedStep> = [];
  /** How long a step waits for its answer. */
  #patience_ms: number;
  /** Gives up the step that waits for it. */
  #giveUp: () => void = () => {};

  private constructor(sink: TraceSink, write: Omit<TraceToResume, "head">, chain: Chain) {
    this.#sink = sink;
    this.#write = write;
    this.#rules = write.rules ?? NO_RULES;
    this.#holder = sink.holderOf(write.input.trace_id);
    this.#patience_ms = write.lease_ms;
    this.#chain = chain;
  }

  /** Goes on with a trace, from where the database says that it stands. */
  static resume(sink: TraceSink, { head, ...write }: TraceToResume): TraceWriter {
    return new TraceWriter(sink, write, Chain.resume(write.input.trace_id, head));
  }

  /** Starts the trace. A writer whose trace's first link is another comes with the reason, to be sealed `aborted`. */
  static readonly start = Effect.fnUntraced(function* (
    sink: TraceSink,
    write: TraceToWrite,
  ): Effect.fn.Return<
    { readonly writer: TraceWriter; readonly mismatch: ChainMismatch | undefined },
    StartError
  > {
    const holder = sink.holderOf(write.input.trace_id);
    const { trace, lease_ms, claim } = write;
    const head = yield* sink.start({ trace, holder, lease_ms, claim });
    const writer = new TraceWriter(sink, write, Chain.begin(write.input.trace_id, trace));
    return { writer, mismatch: writer.#chain.compareHead(head) };
  });

  get trace_id(): string {
    return this.#write.input.trace_id;
  }

  /** How many steps the trace has, those that are staged included. */
  get step_count(): number {
    return this.#chain.head.next_index + this.#staged.length;
  }

  /** The link after the last step that was sent. */
  get link(): string {
    return this.#chain.head.link;
  }

  /** The step that a draft would have become at an index and a time: to compare with what is recorded there. */
  preview(draft: StepDraft, step_index: number, timestamp: string): PreparedStep {
    return this.#prepare(draft, timestamp, step_index);
  }

  #prepare(draft: StepDraft, timestamp: string, step_index = this.step_count): PreparedStep {
    const { trace_id, capture, is_synthetic, synthetic_scenario_id } = this.#write.input;
    const { decision, ...told } = draft;
    const policy = decision?.note;
    return prepareStep(
      {
        ...told,
        trace_id,
        capture,
        step_index,
        timestamp,
        is_synthetic,
        synthetic_scenario_id,
      },
      policy === undefined ? this.#write.telling : { ...this.#write.telling, notes: { policy } },
    );
  }

  /** Prepares one step behind those that are staged; it is sent with the next `flush`, or when enough wait. */
  readonly stage = Effect.fnUntraced({ self: this }, function* (draft: StepDraft): Effect.fn.Return<
    number,
    Refusal | WriteError
  > {
    yield* this.#rules.guard(draft);
    const timestamp = yield* now;
    const step = yield* refusable(() => this.#prepare(draft, timestamp));
    const step_index = this.step_count;
    this.#staged.push(step);
    this.#staged_units += unitsOf(step);
    if (this.#staged.length >= STAGED_STEPS_MAX || this.#staged_units >= STAGED_UNITS_MAX)
      yield* this.flush();
    return step_index;
  });

  /** Sends what is staged: durable when it returns, all or none. */
  readonly flush = Effect.fnUntraced({ self: this }, function* (): Effect.fn.Return<
    void,
    WriteError
  > {
    const steps = this.#staged;
    if (steps.length === 0) return;
    const { trace_id, next_index } = this.#chain.head;
    const holder = this.#holder;
    const link = yield* this.#sink.appendSteps({
      trace_id,
      holder,
      first_index: next_index,
      steps,
    });
    this.#staged = [];
    this.#staged_units = 0;
    const mismatch = this.#chain.extend(steps, link);
    if (mismatch !== undefined) return yield* mismatch;
  });

  /** Records one step: durable when it returns, with its index. What can't be said is a `Refusal`, and changes nothing. */
  record(draft: StepDraft): Effect.Effect<number, Refusal | WriteError> {
    return Semaphore.withPermit(this.#turn, this.#record(draft));
  }

  readonly #record = Effect.fnUntraced(
    { self: this },
    function* (draft: StepDraft): Effect.fn.Return<number, Refusal | WriteError> {
      yield* this.#rules.guard(draft);
      const timestamp = yield* now;
      const step = yield* refusable(() => this.#prepare(draft, timestamp));
      const { trace_id, next_index: step_index } = this.#chain.head;
      const link = yield* this.#sink
        .append(
          {
            trace_id,
            holder: this.#holder,
            step_index,
            step,
            patience_ms: this.#patience_ms,
          },
          (giveUp) => {
            this.#giveUp = giveUp;
          },
        )
        .pipe(
          Effect.tapError((error) => {
            if (isUnanswered(error)) this.#unanswered = [step];
            return Effect.void;
          }),
        );
      const mismatch = this.#chain.extend([step], link);
      if (mismatch !== undefined) return yield* mismatch;
      return step_index;
    },
  );

  /** Records one step in one transaction with what belongs beside it, which gets the step's index. */
  recordBeside<E>(
    draft: StepDraft,
    beside: (step_index: number) => Effect.Effect<void, E>,
    atomically: Transactions["atomically"],
  ): Effect.Effect<number, E | Refusal | WriteError> {
    const recording = Effect.gen({ self: this }, function* () {
      const timestamp = yield* now;
      const step = yield* refusable(() => this.#prepare(draft, timestamp));
      const { trace_id, next_index: first_index } = this.#chain.head;
      const link = yield* atomically(
        this.#sink
          .appendSteps({ trace_id, holder: this.#holder, first_index, steps: [step] })
          .pipe(Effect.tap(() => beside(first_index))),
      );
      const mismatch = this.#chain.extend([step], link);
      if (mismatch !== undefined) return yield* mismatch;
      return first_index;
    });
    return Semaphore.withPermit(this.#turn, recording);
  }

  /** From now on no step waits longer than this for its answer, the one that is being recorded included. */
  readonly hurry = Effect.fnUntraced({ self: this }, function* (patience_ms: number) {
    this.#patience_ms = Math.min(this.#patience_ms, patience_ms);
    const giveUp = this.#giveUp;
    yield* Effect.sleep(Duration.millis(patience_ms));
    giveUp();
  });

  /**
   * Seals the trace, when no step is being written, and compares the seal with what was sent. An aborted trace takes what
   * is there, a step whose answer never came included; a complete one must be what was sent, and nothing more.
   */
  seal(
    seal: PreparedSeal,
    status: "completed" | "failed" | "aborted",
  ): Effect.Effect<SealedTrace, WriteError> {
    const sealing = Effect.gen({ self: this }, function* () {
      yield* this.flush();
      const answered = yield* this.#sink.seal({
        trace_id: this.trace_id,
        holder: this.#holder,
        seal,
        ...(status === "aborted" ? {} : { expected: this.#chain.head }),
      });
      const mismatch = this.#chain.compareSeal(seal, answered, this.#unanswered);
      if (mismatch !== undefined) return yield* mismatch;
      return answered;
    });
    return Semaphore.withPermit(this.#turn, sealing);
  }

  /** Gives the lease more time; answers whether it holds. */
  renewLease(): Effect.Effect<boolean, Effect.Error<ReturnType<TraceSink["renewLease"]>>> {
    const { lease_ms } = this.#write;
    return this.#sink.renewLease({ trace_id: this.trace_id, holder: this.#holder, lease_ms });
  }
}

const unitsOf = ({ payloads, record }: PreparedStep): number =>
  Object.values(payloads).reduce(
    (sum, payload) => sum + (payload?.text.length ?? 0),
    record.length,
  );

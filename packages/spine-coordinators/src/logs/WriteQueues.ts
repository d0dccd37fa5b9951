/** What runs of a process write at the same time goes to the database together: their starts, their steps, their seals. */
import type { appendStep, AppendStep } from "@runproof/drivers/logs/appendStep";
import type {
  SealedTrace,
  sealTrace,
  sealTraces,
  SealTrace,
} from "@runproof/drivers/logs/sealTrace";
import type {
  StartError,
  startTrace,
  startTraces,
  StartTrace,
} from "@runproof/drivers/logs/startTrace";
import type { TraceHead } from "@runproof/drivers/logs/readHead";
import type { Payload } from "@runproof/proof/Payload";
import type { InvalidInput, TraceWriteError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { type Enqueue, makeBatchQueue } from "../internal/BatchQueue.ts";

/** How long a batch of starts or seals waits for its answer: longer than any of its callers does. */
const ANSWER_MS = 120_000;

/** A step to send, and how long its run can wait. */
export interface QueuedStep extends AppendStep {
  /** After this long without an answer it is given up: the lease is over by then. */
  readonly patience_ms: number;
}

/** Appends one step; the link after it. Whether an append that failed for want of an answer was stored is not known. */
export type Append = Enqueue<QueuedStep, string, TraceWriteError | InvalidInput>;

const unitsOf = (
  texts: ReadonlyArray<string>,
  payloads: Readonly<Record<string, Payload | null>>,
): number => {
  let units = 0;
  for (const text of texts) units += text.length;
  for (const name in payloads) units += payloads[name]?.text.length ?? 0;
  return units;
};

/** What the queues write through. */
interface WriteDoors {
  readonly appendStep: ReturnType<typeof appendStep>;
  readonly startTrace: ReturnType<typeof startTrace>;
  readonly startTraces: ReturnType<typeof startTraces>;
  readonly sealTrace: ReturnType<typeof sealTrace>;
  readonly sealTraces: ReturnType<typeof sealTraces>;
  readonly isInTransaction: Effect.Effect<boolean>;
}

/** The queues of one database, for as long as the scope lives. A start or seal in a transaction of the caller's goes alone. */
export const makeWriteQueues = Effect.fnUntraced(function* (doors: WriteDoors) {
  const starts = yield* makeBatchQueue<StartTrace, TraceHead, StartError>({
    send: doors.startTraces,
    unitsOf: ({ trace }) => unitsOf([trace.record], trace.payloads),
    keyOf: ({ trace }) => `${trace.tenant_id}\0${trace.run_id}`,
    patienceOf: () => ANSWER_MS,
    isRetried: false,
  });
  const append = yield* makeBatchQueue<QueuedStep, string, TraceWriteError | InvalidInput>({
    send: doors.appendStep,
    unitsOf: ({ step }) => unitsOf([step.record], step.payloads),
    keyOf: ({ trace_id }) => trace_id,
    patienceOf: ({ patience_ms }) => patience_ms,
    isRetried: true,
  });
  const seals = yield* makeBatchQueue<SealTrace, SealedTrace, TraceWriteError | InvalidInput>({
    send: doors.sealTraces,
    unitsOf: ({ seal }) => unitsOf(seal.parts, seal.payloads),
    keyOf: ({ trace_id }) => trace_id,
    patienceOf: () => ANSWER_MS,
    isRetried: false,
  });
  const orAlone = <A, E>(queued: Effect.Effect<A, E>, alone: Effect.Effect<A, E>) =>
    Effect.flatMap(doors.isInTransaction, (is) => (is ? alone : queued));
  return {
    append,
    start: (input: StartTrace) => {
      const alone = doors.startTrace(input);
      return input.claim === undefined ? orAlone(starts(input), alone) : alone;
    },
    seal: (input: SealTrace) => orAlone(seals(input), doors.sealTrace(input)),
  };
});

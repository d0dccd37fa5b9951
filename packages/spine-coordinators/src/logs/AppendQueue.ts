/**
 * Sends the steps of all runs of a process: what waits at the same time goes to the database in one statement and one
 * commit. The next batch goes as soon as one came back; nothing waits for company.
 */
import type { appendStep, AppendStep } from "@runproof/drivers/logs/appendStep";
import {
  DatabaseUnreachable,
  type InvalidInput,
  type TraceWriteError,
} from "@runproof/schemas/RunProofError";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type * as Scope from "effect/Scope";

/** Batches on their way at the same time: while the database works on one, the next is made and sent. */
const SENDS_AT_ONCE = 2;

/** Steps of one batch: enough to share a commit, few enough that none waits long for the others. */
const BATCH_STEPS_MAX = 256;

/** Characters of one batch: large payloads must not add up to more than memory. */
const BATCH_UNITS_MAX = 8 * 1024 * 1024;

/** The wait before a batch whose answer never came is sent again. */
const RETRY_MS = 100;

type AppendError = TraceWriteError | InvalidInput;

/** A step to send, and how long its run can wait. */
export interface QueuedStep extends AppendStep {
  /** After this long without an answer it is given up: the lease is over by then. */
  readonly patience_ms: number;
}

interface Waiting {
  readonly item: QueuedStep;
  readonly until_ms: number;
  readonly answer: (exit: Exit.Exit<string, AppendError>) => void;
  /** Whether its caller still waits. */
  isWanted: boolean;
}

/**
 * Appends one step; the link after it. Whether an append that failed for want of an answer was stored is not known.
 * `onWait` gets what gives it up early, once it waits.
 */
export type Append = (
  item: QueuedStep,
  onWait?: (giveUp: () => void) => void,
) => Effect.Effect<string, AppendError>;

const unitsOf = ({ step }: AppendStep): number =>
  Object.values(step.payloads).reduce(
    (sum, payload) => sum + (payload?.text.length ?? 0),
    step.record.length,
  );

/** Whether an error leaves open if the database did what was asked. */
export const isUnanswered = (error: { readonly _tag: string }): boolean =>
  ["DatabaseUnreachable", "DatabaseUnfit", "DatabaseFailed"].includes(error._tag);

/** A queue over the driver's `appendStep`, for as long as the scope lives. */
export const makeAppendQueue = (
  send: ReturnType<typeof appendStep>,
): Effect.Effect<Append, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope;
    const context = yield* Effect.context<never>();
    const waiting: Array<Waiting> = [];
    let sending = 0;
    let steps_sent = 0;
    let isAwake = false;

    const takeBatch = (): ReadonlyArray<Waiting> => {
      // An equal share of all that is on its way: while one batch is being stored, the runs of another are at work.
      const share = Math.min(
        Math.ceil((waiting.length + steps_sent) / SENDS_AT_ONCE),
        waiting.length,
      );
      let count = 0;
      for (let units = 0; count < share && count < BATCH_STEPS_MAX; count++) {
        units += unitsOf(waiting[count]!.item);
        if (count > 0 && units > BATCH_UNITS_MAX) break;
      }
      // Locks are taken in the order of the ids, by every process alike.
      return waiting
        .splice(0, count)
        .filter((each) => each.isWanted)
        .toSorted((a, b) => (a.item.trace_id < b.item.trace_id ? -1 : 1));
    };

    /** Sends a batch until each of its steps is answered, or its run waits no longer. */
    const deliver = Effect.fnUntraced(function* (batch: ReadonlyArray<Waiting>) {
      let left = batch;
      while (left.length > 0) {
        const patience_ms = Math.max(...left.map(({ until_ms }) => until_ms)) - performance.now();
        const exit = yield* Effect.exit(
          Effect.timeoutOrElse(send(left.map(({ item }) => item)), {
            duration: Duration.millis(Math.max(1, patience_ms)),
            orElse: () => Effect.fail(noAnswer(patience_ms)),
          }),
        );
        if (Exit.isSuccess(exit)) {
          left.forEach(({ answer }, at) => {
            const result = exit.value[at]!;
            answer(
              result._tag === "Success" ? Exit.succeed(result.success) : Exit.fail(result.failure),
            );
          });
          return;
        }
        const failed: Exit.Exit<never, AppendError> = Exit.failCause(exit.cause);
        const error = Exit.findErrorOption(failed);
        const mayRetry = error._tag === "Some" && isUnanswered(error.value);
        const now_ms = performance.now() + RETRY_MS;
        const givenUp = (each: Waiting) => !mayRetry || !each.isWanted || each.until_ms <= now_ms;
        for (const each of left.filter(givenUp)) each.answer(failed);
        left = left.filter((each) => !givenUp(each));
        // The very same steps, at the same indexes: one that was stored already is answered as stored.
        if (left.length > 0) yield* Effect.sleep(Duration.millis(RETRY_MS));
      }
    });

    const sendNext = (): void => {
      isAwake = false;
      while (sending < SENDS_AT_ONCE && waiting.length > 0) {
        const batch = takeBatch();
        if (batch.length === 0) continue;
        sending += 1;
        steps_sent += batch.length;
        const sent = Effect.onExit(deliver(batch), () =>
          Effect.sync(() => {
            sending -= 1;
            steps_sent -= batch.length;
            wake();
          }),
        );
        Effect.runForkWith(context)(Effect.forkIn(sent, scope));
      }
    };

    /** All that this turn of the event loop brings goes together. */
    const wake = (): void => {
      if (isAwake || waiting.length === 0) return;
      isAwake = true;
      setImmediate(sendNext);
    };

    return (item, onWait) =>
      Effect.callback<string, AppendError>((resume) => {
        const began_ms = performance.now();
        const each: Waiting = {
          item,
          until_ms: began_ms + item.patience_ms,
          answer: resume,
          isWanted: true,
        };
        waiting.push(each);
        wake();
        onWait?.(() => {
          each.isWanted = false;
          resume(Effect.fail(noAnswer(performance.now() - began_ms)));
        });
        return Effect.sync(() => {
          each.isWanted = false;
        });
      });
  });

const noAnswer = (timeout_ms: number) =>
  new DatabaseUnreachable({
    url: "the configured address",
    detail: `no answer within ${Math.round(timeout_ms)} ms`,
  });

/**
 * Sends what the runs of a process ask of the database at the same time in one statement and, where it writes, one commit.
 * The next batch goes as soon as one came back; nothing waits for company.
 */
import { DatabaseUnreachable } from "@runproof/schemas/RunProofError";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type * as Result from "effect/Result";
import type * as Scope from "effect/Scope";

/** Batches on their way at the same time: while the database works on one, the next is made and sent. */
const SENDS_AT_ONCE = 2;

/** Items of one batch: enough to share a commit, few enough that none waits long for the others. */
const BATCH_ITEMS_MAX = 256;

/** Characters of one batch: large payloads must not add up to more than memory. */
const BATCH_UNITS_MAX = 8 * 1024 * 1024;

/** The wait before a batch whose answer never came is sent again. */
const RETRY_MS = 100;

/** Whether an error leaves open if the database did what was asked. */
export const isUnanswered = (error: { readonly _tag: string }): boolean =>
  ["DatabaseUnreachable", "DatabaseUnfit", "DatabaseFailed"].includes(error._tag);

/** What a queue sends, and how. */
export interface Batches<Item, A, E> {
  /** Sends a batch and answers each item, in order. Where it fails, no item is answered. */
  readonly send: (
    items: ReadonlyArray<Item>,
  ) => Effect.Effect<ReadonlyArray<Result.Result<A, E>>, E>;
  /** How large an item is, in characters. */
  readonly unitsOf: (item: Item) => number;
  /** What names an item among those of its batch. */
  readonly keyOf: (item: Item) => string;
  /** After this long without an answer an item is given up. */
  readonly patienceOf: (item: Item) => number;
  /** Whether a batch whose answer never came is sent again, as long as one of its items has patience. */
  readonly isRetried: boolean;
}

/** Asks for one item. `onWait` gets what gives it up early, once it waits. */
export type Enqueue<Item, A, E> = (
  item: Item,
  onWait?: (giveUp: () => void) => void,
) => Effect.Effect<A, E | DatabaseUnreachable>;

interface Waiting<Item, A, E> {
  readonly item: Item;
  readonly until_ms: number;
  readonly answer: (exit: Exit.Exit<A, E | DatabaseUnreachable>) => void;
  /** Whether its caller still waits. */
  isWanted: boolean;
}

/** A queue, for as long as the scope lives. */
export const makeBatchQueue = <Item, A, E extends { readonly _tag: string }>({
  send,
  unitsOf,
  keyOf,
  patienceOf,
  isRetried,
}: Batches<Item, A, E>): Effect.Effect<Enqueue<Item, A, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope;
    const context = yield* Effect.context<never>();
    const waiting: Array<Waiting<Item, A, E>> = [];
    let sending = 0;
    let items_sent = 0;
    let isAwake = false;

    const takeBatch = (): ReadonlyArray<Waiting<Item, A, E>> => {
      // An equal share of all that is on its way: while one batch is being stored, the runs of another are at work.
      const share = Math.min(
        Math.ceil((waiting.length + items_sent) / SENDS_AT_ONCE),
        waiting.length,
      );
      let count = 0;
      for (let units = 0; count < share && count < BATCH_ITEMS_MAX; count++) {
        units += unitsOf(waiting[count]!.item);
        if (count > 0 && units > BATCH_UNITS_MAX) break;
      }
      // Locks are taken in the order of the keys, by every process alike.
      return waiting
        .splice(0, count)
        .filter((each) => each.isWanted)
        .toSorted((a, b) => (keyOf(a.item) < keyOf(b.item) ? -1 : 1));
    };

    /** Sends a batch until each of its items is answered, or its run waits no longer. */
    const deliver = Effect.fnUntraced(function* (batch: ReadonlyArray<Waiting<Item, A, E>>) {
      let left = batch;
      while (left.length > 0) {
        const patience_ms = Math.max(...left.map(({ until_ms }) => until_ms)) - performance.now();
        const exit: Exit.Exit<
          ReadonlyArray<Result.Result<A, E>>,
          E | DatabaseUnreachable
        > = yield* Effect.exit(
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
        const failed = Exit.failCause(exit.cause);
        const error = Exit.findErrorOption(failed);
        const mayRetry = isRetried && error._tag === "Some" && isUnanswered(error.value);
        const next_ms = performance.now() + RETRY_MS;
        const isGivenUp = (each: Waiting<Item, A, E>) =>
          !mayRetry || !each.isWanted || each.until_ms <= next_ms;
        for (const each of left.filter(isGivenUp)) each.answer(failed);
        left = left.filter((each) => !isGivenUp(each));
        // The very same items: what was done already is answered as done.
        if (left.length > 0) yield* Effect.sleep(Duration.millis(RETRY_MS));
      }
    });

    const sendNext = (): void => {
      isAwake = false;
      while (sending < SENDS_AT_ONCE && waiting.length > 0) {
        const batch = takeBatch();
        if (batch.length === 0) continue;
        sending += 1;
        items_sent += batch.length;
        const sent = Effect.onExit(deliver(batch), () =>
          Effect.sync(() => {
            sending -= 1;
            items_sent -= batch.length;
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
      Effect.callback<A, E | DatabaseUnreachable>((resume) => {
        const began_ms = performance.now();
        const each: Waiting<Item, A, E> = {
          item,
          until_ms: began_ms + patienceOf(item),
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

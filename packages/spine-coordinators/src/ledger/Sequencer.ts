/** Has the log's entries numbered for as long as this process lives, and once more when it ends. */
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Schedule from "effect/Schedule";
import { enduring } from "../internal/enduring.ts";
import { LedgerBridge } from "./LedgerBridge.ts";

/** How often: a new entry can be covered by a checkpoint within this time; an empty queue costs one small statement. */
export const SEQUENCE_EVERY_MS = 1_000;

/** How long the last numbering may keep a process that ends: what it leaves queued, the next process numbers. */
export const LAST_NUMBERING_MS = 5_000;

// An entry is durable in its queue: a failure here costs nothing but time, and never a run.
const sequence = enduring(
  "can't number the log's entries",
  LedgerBridge.use(({ log }) => log.sequence),
);

/** A short-lived process, such as one that records a run and ends, numbers what it queued as it ends. */
export const layer: Layer.Layer<never, never, LedgerBridge> = Layer.effectDiscard(
  Effect.gen(function* () {
    const context = yield* Effect.context<LedgerBridge>();
    const last = Effect.timeoutOrElse(Effect.interruptible(sequence), {
      duration: Duration.millis(LAST_NUMBERING_MS),
      orElse: () =>
        Effect.logWarning(
          `the log's entries are not all numbered: the database took longer than ${LAST_NUMBERING_MS} ms. The next process that records does it`,
        ),
    });
    yield* Effect.addFinalizer(() => Effect.provideContext(last, context));
    yield* Effect.forkScoped(
      Effect.schedule(sequence, Schedule.spaced(Duration.millis(SEQUENCE_EVERY_MS))),
    );
  }),
);

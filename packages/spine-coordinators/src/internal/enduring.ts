import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";

/**
 * Work that goes on in the background whatever befalls one turn of it: an error is a warning, for the caller's own work
 * meets it too, and a defect is told as one. Only being interrupted ends it.
 */
export const enduring = <A, E extends { readonly message: string }, R>(
  cannot: string,
  turn: Effect.Effect<A, E, R>,
): Effect.Effect<void, never, R> =>
  turn.pipe(
    Effect.asVoid,
    Effect.catch((error) => Effect.logWarning(`${cannot}: ${error.message}`)),
    Effect.catchCause((cause) =>
      Cause.hasInterrupts(cause)
        ? Effect.failCause(cause)
        : Effect.logError(`${cannot}, for a reason that was not foreseen`, cause),
    ),
  );

import * as Effect from "effect/Effect";

/**
 * Work that goes on in the background whatever befalls one turn of it: an error is a warning, for the caller's own work
 * meets it too, and anything else that ended the turn is told as what nobody foresaw. Who interrupts it ends it; an
 * interruption from inside the turn, such as that of a connection's own fiber, does not.
 */
export const enduring = <A, E extends { readonly message: string }, R>(
  cannot: string,
  turn: Effect.Effect<A, E, R>,
): Effect.Effect<void, never, R> =>
  turn.pipe(
    Effect.asVoid,
    Effect.catch((error) => Effect.logWarning(`${cannot}: ${error.message}`)),
    Effect.catchCause((cause) =>
      Effect.logError(`${cannot}, for a reason that was not foreseen`, cause),
    ),
  );

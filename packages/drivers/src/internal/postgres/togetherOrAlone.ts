import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import type { SqlError } from "effect/sql/SqlError";

/**
 * Does to many items in one statement what `alone` does to one, and answers each. Where the statement is refused nothing of
 * it is kept, and each item is tried alone: one that is refused must not take the others with it, and its error is its own.
 */
export const togetherOrAlone =
  <Item, A, E>(
    together: (items: ReadonlyArray<Item>) => Effect.Effect<ReadonlyArray<A>, SqlError>,
    alone: (item: Item) => Effect.Effect<A, E>,
    toDomain: (error: SqlError) => DatabaseError,
  ) =>
  (
    items: ReadonlyArray<Item>,
  ): Effect.Effect<ReadonlyArray<Result.Result<A, E>>, DatabaseError> => {
    const each = Effect.forEach(items, (item) => Effect.result(alone(item)));
    if (items.length === 1) return each;
    return together(items).pipe(
      Effect.map((answers) => answers.map((answer): Result.Result<A, E> => Result.succeed(answer))),
      Effect.catch((error) => {
        const reason = toDomain(error);
        return reason._tag === "DatabaseUnreachable" || reason._tag === "DatabaseUnfit"
          ? Effect.fail(reason)
          : each;
      }),
    );
  };

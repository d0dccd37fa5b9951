import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { type CheckpointPage, type CheckpointPosition, LedgerBridge } from "../LedgerBridge.ts";

/**
 * Of the kept checkpoints that `open` takes, the one of the largest tree; null where it takes none. Whoever may write into
 * the database may keep others before it.
 */
export const newestKept = <A>(
  open: (note: string) => A | null,
): Effect.Effect<A | null, DatabaseError, LedgerBridge> =>
  Effect.gen(function* () {
    const { checkpoints: kept } = yield* LedgerBridge;
    for (let after: CheckpointPosition | null = null; ;) {
      const { checkpoints, next }: CheckpointPage = yield* kept.page(after);
      for (const { note } of checkpoints) {
        const opened = open(note);
        if (opened !== null) return opened;
      }
      if (next === null) return null;
      after = next;
    }
  });

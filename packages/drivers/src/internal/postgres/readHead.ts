import { type DatabaseError, TraceNotFound } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../../Database.ts";
import type { TraceHead } from "../../TraceStore.ts";
import { databaseError } from "./sqlReason.ts";

/** Reads where an open trace stands. One that is sealed, or was never started, is `TraceNotFound`. */
export const readHead =
  ({ write: sql, description }: Pick<Database["Service"], "write" | "description">) =>
  (trace_id: string): Effect.Effect<TraceHead, DatabaseError | TraceNotFound> =>
    sql<{ next_index: bigint; link: string }>`
      select next_index, link from runproof_read_head(${trace_id})`.pipe(
      Effect.mapError(databaseError("readHead", description)),
      Effect.flatMap(([row]) =>
        row === undefined
          ? Effect.fail(new TraceNotFound({ trace_id }))
          : Effect.succeed({ trace_id, next_index: Number(row.next_index), link: row.link }),
      ),
    );

import { type DatabaseError, TraceNotFound } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";

/** Where a chain stands: the index its next step gets and the link that step extends. */
export interface TraceHead {
  readonly trace_id: string;
  readonly next_index: number;
  readonly link: string;
}

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

import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { SEQUENCE_BATCH } from "../EvidenceLimits.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { readLogSize } from "./readLogSize.ts";

/** Numbers one batch of queued entries; 0 when there is none or another process is at it. */
const sequenceBatch = ({
  write: sql,
  description,
}: Database["Service"]): Effect.Effect<number, DatabaseError> =>
  sql<{
    numbered: bigint;
  }>`select runproof_sequence_log(${BigInt(SEQUENCE_BATCH)}) as numbered`.pipe(
    Effect.map(([row]) => Number(row!.numbered)),
    Effect.mapError(databaseError("sequenceLog", description)),
  );

/**
 * Numbers what was queued; answers how many entries got an index. What others queue meanwhile is left, or this would not end
 * while they go on.
 */
export const sequenceLog = (database: Database["Service"]): Effect.Effect<number, DatabaseError> =>
  Effect.gen(function* () {
    let last = yield* sequenceBatch(database);
    let total = last;
    if (last < SEQUENCE_BATCH) return total;
    const wanted = total + (yield* readLogSize(database)).pending;
    while (last === SEQUENCE_BATCH && total < wanted) {
      last = yield* sequenceBatch(database);
      total += last;
    }
    return total;
  });

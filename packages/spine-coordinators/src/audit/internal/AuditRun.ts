import type { DatabaseError, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { AuditBridge } from "../AuditBridge.ts";
import type { AuditTally } from "./AuditTally.ts";

/** One audit in the making: where it reads, what it has counted, and whom it tells. */
export interface AuditRun {
  readonly snapshot: AuditBridge["Service"]["snapshot"];
  readonly tally: AuditTally;
  /** The size of the largest tree that a trusted key signed; 0 where none is known. */
  readonly signed_size: number;
  /** Tells how far the audit is. */
  readonly tell: Effect.Effect<void>;
}

/** Makes what can't be read a finding, and goes on with `otherwise`. A database that is away ends the audit instead. */
export const orUnreadable =
  <B>(run: AuditRun, object: string, otherwise: B) =>
  <A, R>(
    effect: Effect.Effect<A, DatabaseError | StoredDataUnreadable, R>,
  ): Effect.Effect<A | B, DatabaseError, R> =>
    Effect.catchTag(effect, "StoredDataUnreadable", ({ what }) =>
      Effect.sync(() => {
        run.tally.find({
          code: "UNREADABLE",
          object,
          message: `${object}: can't be read: ${what}`,
        });
        return otherwise;
      }),
    );

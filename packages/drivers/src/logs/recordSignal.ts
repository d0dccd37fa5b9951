import type { ControlsError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { Database } from "../Database.ts";
import { controlsError } from "../internal/postgres/sqlReason.ts";
import type { RunName } from "./readRun.ts";

/** What somebody says of a run that needs attention. */
export interface Signal {
  readonly event: "signal_acknowledged" | "signal_suppressed" | "signal_escalated";
  readonly actor: string;
  readonly reason: string;
  /** For a suppression: until when, RFC 3339. */
  readonly until: string | null;
  /** For an escalation: to whom. */
  readonly to: string | null;
}

/** Writes a signal into the audit ledger. */
export const recordSignal =
  ({ write: sql, description }: Database["Service"]) =>
  (run: RunName, { event, actor, reason, until, to }: Signal): Effect.Effect<void, ControlsError> =>
    sql`select runproof_record_signal(
          ${run.tenant_id}, ${run.run_id}, ${event}, ${actor}, ${reason}, ${JSON.stringify({ until, to })})`.pipe(
      Effect.asVoid,
      Effect.mapError(controlsError("recordSignal", description, run)),
    );

/** The `runs` table: what was asked to run, with its plan as it was stored before execution. */
import type { DatabaseError, InvalidInput, RunExists } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";

/** A run to store before it executes. `plan` is canonical JSON text. */
export interface StoreRun {
  readonly run_id: string;
  readonly tenant_id: string;
  readonly agent_id: string | null;
  readonly origin_system_id: string | null;
  readonly goal: string | null;
  readonly plan: string;
}

/** Where a run stands, apart from its evidence. Starting and sealing its trace move it in the same transaction. */
export type RunStatus = "queued" | "running" | "succeeded" | "failed" | "aborted";

/** A store of runs. */
export class RunStore extends Context.Service<
  RunStore,
  {
    readonly store: (
      run: StoreRun,
    ) => Effect.Effect<void, DatabaseError | InvalidInput | RunExists>;
    readonly status: (input: {
      readonly run_id: string;
      readonly tenant_id: string;
    }) => Effect.Effect<RunStatus | null, DatabaseError>;
  }
>()("@runproof/drivers/RunStore") {}

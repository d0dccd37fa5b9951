/** Proves one run from what is stored. */
import type { DatabaseError, InvalidInput, RunNotFound } from "@runproof/schemas/RunProofError";
import type { RunProofResult } from "@runproof/schemas/RunProofResult";
import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";

/** Which run to prove, and how. */
export interface GetRunProof {
  readonly tenant_id: string;
  readonly run_id: string;
  /** `HASH_CHAIN` where it is left out. */
  readonly model?: "HASH_CHAIN" | "MERKLE_TREE" | undefined;
  /** Whether `raw_logs` holds the payloads' values; false where it is left out. */
  readonly include_payloads?: boolean | undefined;
}

/** Verdicts and bundles. */
export class RunProofCoordinator extends Context.Service<
  RunProofCoordinator,
  {
    /** A verdict on one run. A run that the tenant does not have is UNSUPPORTED, never another tenant's. */
    readonly getRunProof: (input: GetRunProof) => Effect.Effect<RunProofResult, DatabaseError>;
    /** The run as a bundle's text, to verify offline. Refused where there is no seal. */
    readonly getBundle: (input: {
      readonly tenant_id: string;
      readonly run_id: string;
    }) => Effect.Effect<string, DatabaseError | RunNotFound | InvalidInput>;
  }
>()("@runproof/spine-coordinators/RunProofCoordinator") {}

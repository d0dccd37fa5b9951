/** Bundles: one run, or one step of it, in a file that verifies with no database and no network. */
import * as Schema from "effect/Schema";
import { Disclosure } from "./Commitment.ts";
import { closedStruct } from "./internal/ClosedStruct.ts";
import { IntegrityModel } from "./RunProofResult.ts";
import { SealRecord } from "./SealRecord.ts";
import { StepRecord } from "./StepRecord.ts";
import { Count, HashHex } from "./Text.ts";
import { TraceRecord } from "./TraceRecord.ts";

export const BUNDLE_FORMAT = "runproof/bundle@v1";
export const STEP_BUNDLE_FORMAT = "runproof/step-bundle@v1";

/** What discloses a trace's payloads; one that is withheld or erased is absent. */
export const TraceDisclosures = closedStruct({
  plan: Schema.optionalKey(Disclosure),
  attributes: Schema.optionalKey(Disclosure),
});
/** What discloses a step's payloads. */
export const StepDisclosures = closedStruct({
  params: Schema.optionalKey(Disclosure),
  outcome_data: Schema.optionalKey(Disclosure),
  attributes: Schema.optionalKey(Disclosure),
});
/** What discloses a seal's payloads. */
export const SealDisclosures = closedStruct({ metadata: Schema.optionalKey(Disclosure) });

/** The `tlog-proof@v1` texts of a run's two log entries. */
export const LogProofs = closedStruct({ opened: Schema.String, sealed: Schema.String });
export interface LogProofs extends Schema.Schema.Type<typeof LogProofs> {}

/** Where a leaf stands in the run's Merkle tree; the path runs from the leaf's sibling to the root's child. */
export const InclusionPath = closedStruct({
  leaf: Count,
  size: Count,
  path: Schema.Array(HashHex),
});
export interface InclusionPath extends Schema.Schema.Type<typeof InclusionPath> {}

/** A whole run. */
export const Bundle = closedStruct({
  format: Schema.Literal(BUNDLE_FORMAT),
  trace: TraceRecord,
  steps: Schema.Array(StepRecord),
  seal: SealRecord,
  disclosures: closedStruct({
    trace: TraceDisclosures,
    steps: Schema.Array(StepDisclosures),
    seal: SealDisclosures,
  }),
  integrity: closedStruct({
    model: IntegrityModel,
    chain_length: Count,
    root_hash: HashHex,
    merkle_root: HashHex,
  }),
  log: Schema.NullOr(LogProofs),
});
export interface Bundle extends Schema.Schema.Type<typeof Bundle> {}

/** One step alone, with nothing of the others. */
export const StepBundle = closedStruct({
  format: Schema.Literal(STEP_BUNDLE_FORMAT),
  trace: TraceRecord,
  step: StepRecord,
  seal: SealRecord,
  disclosures: closedStruct({
    trace: TraceDisclosures,
    step: StepDisclosures,
    seal: SealDisclosures,
  }),
  inclusion: closedStruct({ trace: InclusionPath, step: InclusionPath }),
  log: Schema.NullOr(LogProofs),
});
export interface StepBundle extends Schema.Schema.Type<typeof StepBundle> {}

/** What stands between a step and the hash of it: every way in passes here, whatever it comes from. */
import { makeRedactor, type Redactor } from "@runproof/proof/Redaction";
import { DEFAULT_RULES } from "@runproof/proof/RedactionRules";
import type { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { StepDraft } from "./StepDraft.ts";

/** Masks secrets in whatever is committed to; its id stands in the trace record. */
export const DEFAULT_REDACTOR: Redactor = makeRedactor(DEFAULT_RULES);

/** The rules that a trace is written under. */
export interface WriteRules {
  /** Fails where the step may not be written, for nobody decided that it may be taken. */
  readonly guard: (draft: StepDraft) => Effect.Effect<void, InvalidInput>;
}

/** No rule at all. */
export const NO_RULES: WriteRules = {
  guard: () => Effect.void,
};

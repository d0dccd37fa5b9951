/** What stands between a step and the hash of it: every way in passes here, whatever it comes from. */
import type { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { StepDraft } from "./StepDraft.ts";

/** The rules that a trace is written under. */
export interface WriteRules {
  /** The id of the redaction rule set, which the trace record names; null where nothing is redacted. */
  readonly redaction: string | null;
  /** What is hashed and stored in place of a step's values. */
  readonly redact: (draft: StepDraft) => StepDraft;
  /** Fails where the step may not be written, for nobody decided that it may be taken. */
  readonly guard: (draft: StepDraft) => Effect.Effect<void, InvalidInput>;
}

/** No rule at all. */
export const NO_RULES: WriteRules = {
  redaction: null,
  redact: (draft) => draft,
  guard: () => Effect.void,
};

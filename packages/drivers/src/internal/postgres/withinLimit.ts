import { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { STEPS_AT_ONCE_MAX } from "../../EvidenceLimits.ts";

/** Refuses more steps, or fewer, than one call may append. */
export const withinLimit = (steps: number, where: string): Effect.Effect<void, InvalidInput> =>
  steps >= 1 && steps <= STEPS_AT_ONCE_MAX
    ? Effect.void
    : Effect.fail(
        new InvalidInput({
          what: `${steps} steps in one call`,
          where,
          remedy: `Record from 1 to ${STEPS_AT_ONCE_MAX} steps at a time.`,
        }),
      );

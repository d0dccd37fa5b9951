import { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { SignerError, SignerStatus } from "../../LogSigner.ts";
import { requireKeys, withSignerLock } from "./OpenSigner.ts";
import { statusOf } from "./readStatus.ts";
import type { LogSignerConfig } from "./SignerConfig.ts";
import { ownCheckpoint, readState, writeState } from "./SignerState.ts";

const refuse = (what: string, where: string, remedy: string) =>
  new InvalidInput({ what, where, remedy });

/**
 * Makes a lost or unreadable state anew. A state that can be read is left alone: it knows better than whoever asks.
 */
export const restoreState = (
  config: LogSignerConfig,
  note: string | null,
): Effect.Effect<SignerStatus, SignerError | InvalidInput> =>
  withSignerLock(
    config,
    Effect.gen(function* () {
      const keys = yield* requireKeys(config);
      const found = yield* readState(config.state_path, keys).pipe(
        Effect.catchTag("SignerStateInvalid", () => Effect.succeed(null)),
      );
      if (found !== null) {
        return yield* refuse(
          "the signer's state is there and whole",
          config.state_path,
          "Nothing is to be restored.",
        );
      }
      const last = note === null ? null : ownCheckpoint(note, keys);
      if (typeof last === "string") {
        return yield* refuse(
          `not a checkpoint of this key: ${last}`,
          "--checkpoint",
          "Give the newest checkpoint that this key signed.",
        );
      }
      const state = { vkey: keys[0].verifier.text, last, rotation: null };
      yield* writeState(config.state_path, state);
      return statusOf({ config, keys, state });
    }),
  );

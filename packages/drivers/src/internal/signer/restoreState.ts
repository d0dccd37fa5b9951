import { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { requireKeys, type SignerError, withSignerLock } from "./OpenSigner.ts";
import { type SignerStatus, statusOf } from "./readStatus.ts";
import type { LogSignerConfig } from "./SignerConfig.ts";
import { ownCheckpoint, readState, type SignedCheckpoint, writeState } from "./SignerState.ts";

const refuse = (what: string, where: string, remedy: string) =>
  new InvalidInput({ what, where, remedy });

/**
 * Makes a lost or unreadable state anew. A state that can be read is left alone: it knows better than whoever asks.
 */
export const restoreState = <E, R>(
  config: LogSignerConfig,
  note: string | null,
  newest: (
    open: (note: string) => SignedCheckpoint | null,
  ) => Effect.Effect<SignedCheckpoint | null, E, R>,
): Effect.Effect<SignerStatus, SignerError | InvalidInput | E, R> =>
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
      const newer = yield* newest((text) => {
        const own = ownCheckpoint(text, keys);
        return typeof own === "string" ? null : own;
      });
      // The empty tree says nothing that could be gone back on.
      if (newer !== null && newer.tree_size > (last?.tree_size ?? 0)) {
        return yield* refuse(
          `the database keeps a newer checkpoint of this key, over ${newer.tree_size} entries with root ${newer.root_hash}`,
          last === null ? "--never-signed" : "--checkpoint",
          "Give that one with --checkpoint FILE: its note is in the table aos_checkpoints.",
        );
      }
      const state = { vkey: keys[0].verifier.text, last, rotation: null, retired: [] };
      yield* writeState(config.state_path, state);
      return statusOf({ config, keys, state });
    }),
  );

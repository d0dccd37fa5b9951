import { generateSignerKey } from "@runproof/proof/NoteKey";
import { parseNote, verifyNote } from "@runproof/proof/SignedNote";
import { ConfigurationInvalid, SignerStateInvalid } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { lockFile } from "../file/LockFile.ts";
import { writeKeys } from "./KeyFile.ts";
import { type OpenSigner, openSigner, type SignerError } from "./OpenSigner.ts";
import type { LogSignerConfig } from "./SignerConfig.ts";
import { type SignerKeys, type SignerState, writeState } from "./SignerState.ts";

/** A rotation under way. */
export interface KeyRotation {
  readonly old_vkey: string;
  readonly new_vkey: string;
  /** The rotation's EVENTs have no index below this. */
  readonly from_index: number;
  /** Whether the old key is dropped already: an earlier attempt had everything done but said so. */
  readonly is_finished: boolean;
}

/** The steps of a rotation. Each is durable, and all of them can be done again after a crash. */
export interface RotationSteps {
  /** Makes the new key beside the old one, or takes up the rotation that is under way. */
  readonly begin: Effect.Effect<KeyRotation, SignerError>;
  /** Drops the old key. Refused before a tree of more than `above_index` entries was signed by both. */
  readonly finish: (above_index: number) => Effect.Effect<void, SignerError>;
}

type FileConfig = LogSignerConfig & { readonly kind: "file" };

/** The new key goes into the file first: a rotation whose key is lost could never be finished. */
const begin = (config: FileConfig) => {
  const record = Effect.fnUntraced(function* (
    [old_key, new_key]: readonly [SignerKeys[0], SignerKeys[0]],
    state: SignerState,
    from_index: number,
  ) {
    const new_vkey = new_key.verifier.text;
    yield* writeState(config.state_path, { ...state, rotation: { new_vkey, from_index } });
    return { old_vkey: old_key.verifier.text, new_vkey, from_index, is_finished: false };
  });
  return openSigner(config, ({ keys, state }: OpenSigner) =>
    Effect.gen(function* (): Effect.fn.Return<KeyRotation, SignerError> {
      const [active, next] = keys;
      const { rotation, vkey, last } = state;
      const signed_size = last?.tree_size ?? 0;
      if (next !== undefined) {
        if (rotation === null || rotation.new_vkey !== next.verifier.text) {
          return yield* record([active, next], state, 0);
        }
        // An index beyond what was signed may be another log's: the EVENTs would be looked for where they can't be.
        return rotation.from_index > signed_size
          ? yield* record([active, next], state, signed_size)
          : { old_vkey: active.verifier.text, ...rotation, is_finished: false };
      }
      if (rotation !== null && vkey !== active.verifier.text) {
        yield* writeState(config.state_path, {
          ...state,
          vkey: active.verifier.text,
          rotation: null,
          retired: [...state.retired, vkey],
        });
        return { old_vkey: vkey, ...rotation, is_finished: true };
      }
      const made = generateSignerKey(active.verifier.name);
      yield* writeKeys(config.key_path, [active, made], { replaces: true });
      return yield* record([active, made], state, signed_size);
    }),
  );
};

const finish = (config: FileConfig, above_index: number): Effect.Effect<void, SignerError> =>
  openSigner(config, ({ keys, state }) =>
    Effect.gen(function* (): Effect.fn.Return<void, SignerError> {
      const [, next] = keys;
      const { last } = state;
      const signers =
        last === null || last.tree_size <= above_index
          ? []
          : verifyNote(
              parseNote(last.note),
              keys.map((key) => key.verifier),
            ).verified_by;
      if (next === undefined || signers.length !== keys.length) {
        return yield* new SignerStateInvalid({
          path: config.state_path,
          what: `no checkpoint over entry ${above_index} is signed by both keys, so the old one is not dropped`,
          remedy: "Run `runproof keys rotate` again.",
        });
      }
      yield* writeKeys(config.key_path, [next], { replaces: true });
      yield* writeState(config.state_path, {
        vkey: next.verifier.text,
        last,
        rotation: null,
        retired: [...state.retired, keys[0].verifier.text],
      });
    }),
  );

/** Runs a rotation while no other process runs one. Checkpoints are signed meanwhile, by both keys. */
export const rotateKeys = <A, E, R>(
  config: LogSignerConfig,
  use: (steps: RotationSteps) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E | SignerError, R> =>
  Effect.gen(function* () {
    if (config.kind === "environment") {
      return yield* new ConfigurationInvalid({
        setting: "RUNPROOF_LOG_KEY",
        what: "a key from the environment can't be rotated from here",
        remedy:
          "Put the key into a file with mode 0600, set RUNPROOF_LOG_KEY_FILE to it, rotate, and take the new key from the file.",
      });
    }
    return yield* Effect.scoped(
      Effect.andThen(
        lockFile(`${config.state_path}.rotation.lock`),
        use({
          begin: begin(config),
          finish: (above_index) => finish(config, above_index),
        }),
      ),
    );
  });

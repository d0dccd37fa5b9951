import { access } from "node:fs/promises";
import { generateSignerKey, KeyInvalid } from "@runproof/proof/NoteKey";
import { FileFailed, InvalidInput, type LockHeld } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { writeKeys } from "./KeyFile.ts";
import { freshState, withSignerLock } from "./OpenSigner.ts";
import { statePathOf } from "./SignerConfig.ts";
import { writeState } from "./SignerState.ts";

const makeKey = (origin: string) =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(generateSignerKey(origin));
    } catch (error) {
      if (!(error instanceof KeyInvalid)) throw error;
      const { what, remedy } = error;
      return Effect.fail(new InvalidInput({ what, where: "--origin", remedy }));
    }
  });

const requireAbsent = (path: string) =>
  Effect.flatMap(
    Effect.promise(() =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
    (isThere) =>
      isThere
        ? Effect.fail(
            new FileFailed({
              path,
              what: "is there already",
              remedy: "Name another file: a key and its state are never overwritten.",
            }),
          )
        : Effect.void,
  );

/** Makes a key's file and the file of its state, which says that nothing was signed yet. Neither may be there. */
export const generateKey = ({
  origin,
  path,
}: {
  readonly origin: string;
  readonly path: string;
}): Effect.Effect<{ readonly vkey: string }, InvalidInput | FileFailed | LockHeld> =>
  Effect.gen(function* () {
    const key = yield* makeKey(origin);
    const state_path = statePathOf(path);
    return yield* withSignerLock(
      { state_path },
      Effect.gen(function* () {
        yield* requireAbsent(path);
        yield* requireAbsent(state_path);
        yield* writeState(state_path, freshState(key.verifier.text));
        yield* writeKeys(path, [key], { replaces: false });
        return { vkey: key.verifier.text };
      }),
    );
  });

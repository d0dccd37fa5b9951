import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { generateSignerKey } from "@runproof/proof/NoteKey";
import {
  ConfigurationInvalid,
  type FileFailed,
  type LockHeld,
  type SignerStateInvalid,
} from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { fileFailed } from "../file/FileError.ts";
import { makeFolder } from "../file/makeFolder.ts";
import { lockFile } from "../file/LockFile.ts";
import { readText } from "../file/readBytes.ts";
import { readKeys, writeKeys } from "./KeyFile.ts";
import type { LogSignerConfig } from "./SignerConfig.ts";
import {
  isInUse,
  lostState,
  readState,
  type SignerKeys,
  type SignerState,
  writeState,
} from "./SignerState.ts";

/** What keeps a signer from being opened. */
export type SignerError = ConfigurationInvalid | SignerStateInvalid | LockHeld | FileFailed;

/** A signer whose files no other process changes while it is open. */
export interface OpenSigner {
  readonly config: LogSignerConfig;
  readonly keys: SignerKeys;
  readonly state: SignerState;
}

/** The state of a key that signed nothing yet. */
export const freshState = (vkey: string): SignerState => ({
  vkey,
  last: null,
  rotation: null,
  retired: [],
});

/** Holds the lock over the signer's files for as long as `use` runs. */
export const withSignerLock = <A, E, R>(
  { state_path }: Pick<LogSignerConfig, "state_path">,
  use: Effect.Effect<A, E, R>,
) => Effect.scoped(Effect.andThen(lockFile(`${state_path}.lock`), use));

const noKey = (config: LogSignerConfig, what: string) =>
  new ConfigurationInvalid({
    setting: config.kind === "file" ? "RUNPROOF_LOG_KEY_FILE" : "RUNPROOF_LOG_KEY",
    what,
    remedy:
      "Put the key back, or make one with `runproof keys generate --origin NAME --out FILE` and name its file.",
  });

/** Reads the keys, which must be there. */
export const requireKeys = (
  config: LogSignerConfig,
): Effect.Effect<SignerKeys, ConfigurationInvalid | FileFailed> =>
  Effect.flatMap(readKeys(config), (keys) =>
    keys === null
      ? Effect.fail(
          noKey(config, config.kind === "file" ? `there is no file ${config.key_path}` : "no key"),
        )
      : Effect.succeed(keys),
  );

/** Makes the embedded default's key. Its name is random: two logs must not be taken for one. */
const makeFirstKey = Effect.fnUntraced(function* (config: LogSignerConfig & { kind: "file" }) {
  const { key_path, state_path } = config;
  const state = yield* readText(state_path, "Let this process read the signer's state.");
  // The state is written before the key: one that knows a checkpoint is of a key that was in use, and is gone.
  if (state !== null && isInUse(state)) {
    return yield* noKey(
      config,
      `the key ${key_path} is gone, and ${state_path} says that it was in use`,
    );
  }
  const key = generateSignerKey(`localhost/runproof/${randomBytes(8).toString("hex")}`);
  yield* writeState(state_path, freshState(key.verifier.text));
  yield* writeKeys(key_path, [key], { replaces: false });
});

const makeFolderOf = (path: string) =>
  Effect.try({
    try: () => makeFolder(dirname(path)),
    catch: fileFailed(dirname(path), "Name a folder that this process may make."),
  });

/** Opens the signer for `use`; makes the embedded default's key on first use. */
export const openSigner = <A, E, R>(
  config: LogSignerConfig,
  use: (signer: OpenSigner) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E | SignerError, R> =>
  Effect.gen(function* () {
    const isMadeHere = config.kind === "file" && config.is_made_on_first_use;
    if (isMadeHere) yield* makeFolderOf(config.state_path);
    return yield* withSignerLock(
      config,
      Effect.gen(function* () {
        if (isMadeHere && (yield* readKeys(config)) === null) yield* makeFirstKey(config);
        const keys = yield* requireKeys(config);
        const state = yield* readState(config.state_path, keys);
        if (state === null) return yield* lostState(config.state_path);
        return yield* use({ config, keys, state });
      }),
    );
  });

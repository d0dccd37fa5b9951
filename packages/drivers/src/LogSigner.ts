/**
 * The signer of the log. Its keys and what it signed last lie outside the database, so that whoever owns the database
 * can't have another history signed.
 */
import {
  ConfigurationInvalid,
  type FileFailed,
  type InvalidInput,
  type LockHeld,
} from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { generateKey } from "./internal/signer/generateKey.ts";
import { openSigner, type SignerError } from "./internal/signer/OpenSigner.ts";
import { readStatus, type SignerStatus } from "./internal/signer/readStatus.ts";
import { restoreState } from "./internal/signer/restoreState.ts";
import { rotateKeys, type RotationSteps } from "./internal/signer/rotateKeys.ts";
import type { LogSignerConfig } from "./internal/signer/SignerConfig.ts";
import type { SignedCheckpoint } from "./internal/signer/SignerState.ts";
import { signTree, type SignError, type TreeProposal } from "./internal/signer/signTree.ts";

export type { SignerError } from "./internal/signer/OpenSigner.ts";
export type { LogKey, SignerStatus } from "./internal/signer/readStatus.ts";
export type { KeyRotation, RotationSteps } from "./internal/signer/rotateKeys.ts";
export {
  EMBEDDED_KEY_FILE,
  type LogSignerConfig,
  logSignerConfig,
  type LogSignerSettings,
  noKeyConfigured,
} from "./internal/signer/SignerConfig.ts";
export type { SignedCheckpoint } from "./internal/signer/SignerState.ts";
export { SIGNED_LAST, type SignError, type TreeProposal } from "./internal/signer/signTree.ts";

/** Signs checkpoints, one process at a time. */
export interface LogSigner {
  readonly status: Effect.Effect<SignerStatus, SignerError>;
  /**
   * Asks for a tree that extends the last one signed (null: none was), checks that it does, and signs it. A tree that
   * is smaller is `LogShrunk`, one that does not extend it `LogForked`; the same tree again is answered with the same
   * note. The signer's state is on the disk before the note is handed out.
   */
  readonly sign: <E, R>(
    propose: (last: SignedCheckpoint | null) => Effect.Effect<TreeProposal, E, R>,
  ) => Effect.Effect<SignedCheckpoint, E | SignError, R>;
  /** Runs a rotation, one process at a time. A key from the environment can't be rotated here. */
  readonly rotate: <A, E, R>(
    use: (steps: RotationSteps) => Effect.Effect<A, E, R>,
  ) => Effect.Effect<A, E | SignerError, R>;
  /**
   * Makes the state anew where it is lost or unreadable: from the newest checkpoint that the key signed, or from null.
   * Refused where `newest` answers one of a larger tree; it is asked for the newest that `open` takes, which answers null
   * for what the key did not sign.
   */
  readonly restoreState: <E, R>(
    note: string | null,
    newest: (
      open: (note: string) => SignedCheckpoint | null,
    ) => Effect.Effect<SignedCheckpoint | null, E, R>,
  ) => Effect.Effect<SignerStatus, SignerError | InvalidInput | E, R>;
  /** Makes a key in a new file, with its state beside it; answers the verifier key. */
  readonly generate: (input: {
    readonly origin: string;
    readonly path: string;
  }) => Effect.Effect<{ readonly vkey: string }, InvalidInput | FileFailed | LockHeld>;
}

/** The signer of a configuration. Reads no file before it is asked to: what is wrong there is every operation's error. */
export const logSigner = (config: LogSignerConfig | ConfigurationInvalid): LogSigner => {
  const configured =
    config instanceof ConfigurationInvalid ? Effect.fail(config) : Effect.succeed(config);
  return {
    status: Effect.flatMap(configured, readStatus),
    sign: (propose) =>
      Effect.flatMap(configured, (found) =>
        openSigner(found, (signer) => signTree(signer, propose)),
      ),
    rotate: (use) => Effect.flatMap(configured, (found) => rotateKeys(found, use)),
    restoreState: (note, newest) =>
      Effect.flatMap(configured, (found) => restoreState(found, note, newest)),
    generate: generateKey,
  };
};

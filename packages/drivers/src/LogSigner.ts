/**
 * The signer of the log. Its keys and what it signed last lie outside the database, so that whoever owns the database
 * can't have another history signed.
 */
import type { TreeHead } from "@runproof/proof/Checkpoint";
import type {
  FileFailed,
  InvalidInput,
  LockHeld,
  LogForked,
  LogShrunk,
  SignerStateInvalid,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import { ConfigurationInvalid } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { generateKey } from "./internal/signer/generateKey.ts";
import { openSigner } from "./internal/signer/OpenSigner.ts";
import { readStatus } from "./internal/signer/readStatus.ts";
import { restoreState } from "./internal/signer/restoreState.ts";
import { rotateKeys } from "./internal/signer/rotateKeys.ts";
import type { LogSignerConfig } from "./internal/signer/SignerConfig.ts";
import { signTree } from "./internal/signer/signTree.ts";

export {
  EMBEDDED_KEY_FILE,
  type LogSignerConfig,
  logSignerConfig,
  type LogSignerSettings,
  noKeyConfigured,
} from "./internal/signer/SignerConfig.ts";

/** What an error calls the checkpoint that the signer signed last. */
export const SIGNED_LAST = "the checkpoint that this key signed last";

/** A tree head with the signed note that says it. */
export interface SignedCheckpoint extends TreeHead {
  /** The note, verbatim. */
  readonly note: string;
}

/** A tree to sign, with the evidence that it extends the last one that was signed. */
export interface TreeProposal {
  readonly tree_size: number;
  readonly root_hash: string;
  /** The root over as many entries as the last signed tree had; null where there are fewer, or none was signed. */
  readonly signed_root: string | null;
  /** The consistency proof from the last signed tree; empty where there is none. */
  readonly consistency: ReadonlyArray<string>;
}

/** A key of the log as everyone may see it. */
export interface LogKey {
  /** The verifier key, `name+hash+base64`. */
  readonly vkey: string;
  /** `next` is the new key of a rotation under way; both sign until it is finished. */
  readonly role: "active" | "next" | "retired";
}

/** Who signs, and what was signed last. */
export interface SignerStatus {
  /** Empty before an embedded default made its key. */
  readonly keys: ReadonlyArray<LogKey>;
  readonly last: SignedCheckpoint | null;
  /** Null where the key comes from the environment. */
  readonly key_path: string | null;
  readonly state_path: string;
}

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

/** What keeps a signer from being opened. */
export type SignerError = ConfigurationInvalid | SignerStateInvalid | LockHeld | FileFailed;

/** What keeps a tree from being signed. */
export type SignError = SignerError | LogShrunk | LogForked | StoredDataUnreadable;

/** Signs checkpoints, one process at a time. */
export class LogSigner extends Context.Service<
  LogSigner,
  {
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
>()("@runproof/drivers/LogSigner") {
  /** Reads no file before it is asked to: what is wrong with the configuration is every operation's error. */
  static readonly layer = (
    config: LogSignerConfig | ConfigurationInvalid,
  ): Layer.Layer<LogSigner> => {
    const configured =
      config instanceof ConfigurationInvalid ? Effect.fail(config) : Effect.succeed(config);
    return Layer.succeed(
      LogSigner,
      LogSigner.of({
        status: Effect.flatMap(configured, readStatus),
        sign: (propose) =>
          Effect.flatMap(configured, (found) =>
            openSigner(found, (signer) => signTree(signer, propose)),
          ),
        rotate: (use) => Effect.flatMap(configured, (found) => rotateKeys(found, use)),
        restoreState: (note, newest) =>
          Effect.flatMap(configured, (found) => restoreState(found, note, newest)),
        generate: generateKey,
      }),
    );
  };
}

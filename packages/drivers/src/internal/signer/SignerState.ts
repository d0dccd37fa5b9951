import { parseJson } from "@runproof/proof/JsonText";
import { Refusal } from "@runproof/proof/Refusal";
import { openCheckpoint, type TreeHead } from "@runproof/proof/Checkpoint";
import type { SignerKey } from "@runproof/proof/NoteKey";
import { type FileFailed, SignerStateInvalid } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import { fileFailed } from "../file/FileError.ts";
import { readText } from "../file/readBytes.ts";
import { writeDurably } from "../file/writeDurably.ts";

/** A tree head with the signed note that says it. */
export interface SignedCheckpoint extends TreeHead {
  /** The note, verbatim. */
  readonly note: string;
}

const STATE_FORMAT = "runproof/log-signer@v1";

/** It is no secret, and nobody else's business. */
const STATE_MODE = 0o600;

const Rotation = Schema.Struct({
  new_vkey: Schema.String,
  /** How many entries were signed when the rotation began: its EVENTs come no earlier. */
  from_index: Schema.Int,
});

const StateFile = Schema.Struct({
  format: Schema.Literal(STATE_FORMAT),
  vkey: Schema.String,
  note: Schema.NullOr(Schema.String),
  rotation: Schema.NullOr(Rotation),
  retired: Schema.Array(Schema.String),
});

/** What a signer knows that the database can't change. */
export interface SignerState {
  /** The verifier key of the key that this is the state of: the old one until a rotation said that it is finished. */
  readonly vkey: string;
  /** Null before the first. */
  readonly last: SignedCheckpoint | null;
  readonly rotation: typeof Rotation.Type | null;
  /** Verifier keys that were rotated away, oldest first: what they signed still needs them. */
  readonly retired: ReadonlyArray<string>;
}

/** The keys of a signer: the second one while a rotation is under way. */
export type SignerKeys = readonly [SignerKey] | readonly [SignerKey, SignerKey];

const RESTORE_REMEDY =
  "Put the file back from where it was kept; or, with the newest checkpoint that this key signed, run `runproof keys restore-state --checkpoint FILE`.";

const decode = Schema.decodeUnknownResult(StateFile, { onExcessProperty: "error" });

const parseFile = (text: string): typeof StateFile.Type | null => {
  try {
    const result = decode(parseJson(text));
    return Result.isSuccess(result) ? result.success : null;
  } catch (error) {
    if (error instanceof Refusal) return null;
    throw error;
  }
};

/** Whether a state's text may be that of a key that signed something. */
export const isInUse = (text: string): boolean => parseFile(text)?.note !== null;

/** A note as a checkpoint that one of the keys signed, or why it is none. */
export const ownCheckpoint = (note: string, keys: SignerKeys): SignedCheckpoint | string => {
  try {
    const verifiers = keys.map((key) => key.verifier);
    const verdict = openCheckpoint(note, verifiers);
    if (!verdict.is_trusted) return verdict.reason;
    const { origin, tree_size, root_hash } = verdict.checkpoint;
    return origin === verifiers[0]!.name
      ? { origin, tree_size, root_hash, note }
      : `it is of the log ${origin}`;
  } catch (error) {
    if (error instanceof Refusal) return error.what;
    throw error;
  }
};

/** A state's text as the state of these keys, or what speaks against it. Nothing that no key signed is believed. */
const parseState = (text: string, keys: SignerKeys): SignerState | string => {
  const file = parseFile(text);
  if (file === null) return "it can't be read";
  const { vkey, note, rotation, retired } = file;
  const [active, next] = keys;
  // The last thing a rotation does but one is to drop the old key.
  const isRotated = next === undefined && rotation?.new_vkey === active.verifier.text;
  if (vkey !== active.verifier.text && !isRotated) return `it is the state of the key ${vkey}`;
  const last = note === null ? null : ownCheckpoint(note, keys);
  return typeof last === "string"
    ? `its last checkpoint is no evidence: ${last}`
    : { vkey, last, rotation, retired };
};

/** Reads a state's file; null where there is none. */
export const readState = (
  path: string,
  keys: SignerKeys,
): Effect.Effect<SignerState | null, SignerStateInvalid | FileFailed> =>
  Effect.gen(function* () {
    const text = yield* readText(path, "Let this process read the signer's state.");
    if (text === null) return null;
    const state = parseState(text, keys);
    return typeof state === "string"
      ? yield* new SignerStateInvalid({ path, what: state, remedy: RESTORE_REMEDY })
      : state;
  });

/** A key's state is made with the key, so that one that is not there is lost. */
export const lostState = (path: string): SignerStateInvalid =>
  new SignerStateInvalid({
    path,
    what: "it is gone, and with it which tree was signed last",
    remedy: `${RESTORE_REMEDY} For a key that never signed anything: \`runproof keys restore-state --never-signed\`.`,
  });

/** Writes a state's file: on the disk when this returns. */
export const writeState = (
  path: string,
  { vkey, last, rotation, retired }: SignerState,
): Effect.Effect<void, FileFailed> => {
  const file: typeof StateFile.Type = {
    format: STATE_FORMAT,
    vkey,
    note: last?.note ?? null,
    rotation,
    retired,
  };
  return Effect.tryPromise({
    try: () =>
      writeDurably(path, `${JSON.stringify(file, null, 2)}\n`, {
        mode: STATE_MODE,
        replaces: true,
      }),
    catch: fileFailed(path, "Make the folder of the signer's state writable for this process."),
  });
};

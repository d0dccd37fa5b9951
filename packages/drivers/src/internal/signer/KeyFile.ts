import type { FileHandle } from "node:fs/promises";
import { parseSignerKey, type SignerKey } from "@runproof/proof/NoteKey";
import { Refusal } from "@runproof/proof/Refusal";
import { ConfigurationInvalid, type FileFailed } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { fileFailed } from "../file/FileError.ts";
import { openToRead } from "../file/readBytes.ts";
import { writeDurably } from "../file/writeDurably.ts";
import type { LogSignerConfig } from "./SignerConfig.ts";
import type { SignerKeys } from "./SignerState.ts";

const KEY_MODE = 0o600;
/** Permissions of anyone but the owner. */
const OTHERS = 0o077;

const refuse = (setting: string, what: string, remedy: string) =>
  new ConfigurationInvalid({ setting, what, remedy });

/** Whose file it may be and who may read it: a key that others can read is theirs too. Windows has neither. */
const faultOf = async (path: string, handle: FileHandle): Promise<ConfigurationInvalid | null> => {
  const uid = process.getuid?.();
  if (uid === undefined) return null;
  const stat = await handle.stat();
  if (!stat.isFile()) {
    return refuse("RUNPROOF_LOG_KEY_FILE", `${path} is no file`, "Name the file of the key.");
  }
  if (stat.uid !== uid) {
    const what = `${path} belongs to the user ${stat.uid}, and this process runs as ${uid}`;
    return refuse("RUNPROOF_LOG_KEY_FILE", what, `chown ${uid} ${path}`);
  }
  if ((stat.mode & OTHERS) !== 0) {
    const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
    const what = `${path} has mode ${mode}, so that others can take the key`;
    return refuse("RUNPROOF_LOG_KEY_FILE", what, `chmod 600 ${path}`);
  }
  return null;
};

/** Reads the file's text once its owner and mode are right, both from the same open file; null where there is none. */
const readPrivate = async (path: string): Promise<string | ConfigurationInvalid | null> => {
  const handle = await openToRead(path);
  if (handle === null) return null;
  try {
    return (await faultOf(path, handle)) ?? (await handle.readFile("utf8"));
  } finally {
    await handle.close();
  }
};

/** One key, or two of one name in two lines, the older first. */
const parseKeys = (setting: string, text: string): SignerKeys | ConfigurationInvalid => {
  try {
    const [first, second, ...more] = text.trim().split(/\s+/u).map(parseSignerKey);
    const names = new Set([first, second].flatMap((key) => key?.verifier.name ?? []));
    if (first === undefined || more.length > 0 || names.size > 1) {
      return refuse(setting, "it holds more than the keys of one log", "Give one log's key.");
    }
    return second === undefined ? [first] : [first, second];
  } catch (error) {
    if (error instanceof Refusal) return refuse(setting, error.what, error.remedy);
    throw error;
  }
};

/** Reads the keys; null where their file is not there. */
export const readKeys = (
  config: LogSignerConfig,
): Effect.Effect<SignerKeys | null, ConfigurationInvalid | FileFailed> =>
  Effect.gen(function* () {
    if (config.kind === "environment") {
      const keys = parseKeys("RUNPROOF_LOG_KEY", Redacted.value(config.key));
      return keys instanceof ConfigurationInvalid ? yield* keys : keys;
    }
    const { key_path } = config;
    const text = yield* Effect.tryPromise({
      try: () => readPrivate(key_path),
      catch: fileFailed(key_path, "Let this process read the log's key."),
    });
    if (text === null) return null;
    const keys = typeof text === "string" ? parseKeys("RUNPROOF_LOG_KEY_FILE", text) : text;
    return keys instanceof ConfigurationInvalid ? yield* keys : keys;
  });

/** Writes keys into a file that only its owner can read: on the disk when this returns. */
export const writeKeys = (
  path: string,
  keys: ReadonlyArray<SignerKey>,
  { replaces }: { readonly replaces: boolean },
): Effect.Effect<void, FileFailed> =>
  Effect.tryPromise({
    try: () =>
      writeDurably(path, keys.map((key) => `${key.private_text}\n`).join(""), {
        mode: KEY_MODE,
        replaces,
      }),
    catch: fileFailed(
      path,
      "Name a file that is not there yet, in a folder that you may write to.",
    ),
  });

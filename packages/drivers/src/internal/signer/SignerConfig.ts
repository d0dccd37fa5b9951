import { join, resolve } from "node:path";
import { ConfigurationInvalid } from "@runproof/schemas/RunProofError";
import * as Redacted from "effect/Redacted";
import type { DatabaseConfig } from "../../Database.ts";

/** Settings that decide the log's key, as they come from the environment. */
export interface LogSignerSettings {
  readonly RUNPROOF_LOG_KEY?: string | undefined;
  readonly RUNPROOF_LOG_KEY_FILE?: string | undefined;
  readonly RUNPROOF_LOG_STATE_FILE?: string | undefined;
}

/** Where the key and the signer's own state are. */
export type LogSignerConfig =
  | {
      readonly kind: "environment";
      readonly key: Redacted.Redacted;
      readonly state_path: string;
    }
  | {
      readonly kind: "file";
      readonly key_path: string;
      readonly state_path: string;
      readonly is_made_on_first_use: boolean;
    };

/** The embedded default's key, in its home beside the database's folder. */
export const EMBEDDED_KEY_FILE = "log.key";

/** The state's file, where no setting names one, is the key's with this behind it. */
export const statePathOf = (key_path: string): string => `${key_path}.state`;

const settingOf = (value: string | undefined): string | null => {
  const text = value?.trim() ?? "";
  return text === "" ? null : text;
};

/** What signing answers where no key is configured. */
export const noKeyConfigured = (): ConfigurationInvalid =>
  new ConfigurationInvalid({
    setting: "RUNPROOF_LOG_KEY_FILE",
    what: "no key is configured, so the log can't be signed (recording goes on)",
    remedy:
      "Make a key with `runproof keys generate --origin NAME --out FILE`, and set RUNPROOF_LOG_KEY_FILE to FILE.",
  });

/**
 * Decides where the key is. With no setting, an embedded database has one of its own and a server has none: then, and
 * where settings contradict, this is the error that signing answers, while recording goes on.
 */
export const logSignerConfig = (
  settings: LogSignerSettings,
  database: DatabaseConfig,
): LogSignerConfig | ConfigurationInvalid => {
  const key = settingOf(settings.RUNPROOF_LOG_KEY);
  const key_file = settingOf(settings.RUNPROOF_LOG_KEY_FILE);
  const state_file = settingOf(settings.RUNPROOF_LOG_STATE_FILE);
  if (key !== null && key_file !== null) {
    return new ConfigurationInvalid({
      setting: "RUNPROOF_LOG_KEY",
      what: "RUNPROOF_LOG_KEY_FILE is set too",
      remedy: "Set one of them: the key's text, or the file that holds it.",
    });
  }
  if (key !== null) {
    return state_file === null
      ? new ConfigurationInvalid({
          setting: "RUNPROOF_LOG_STATE_FILE",
          what: "it is not set, and a key from the environment has no file to keep the signer's state beside",
          remedy: "Set it to a file on a disk that lasts, out of the database's reach.",
        })
      : { kind: "environment", key: Redacted.make(key), state_path: resolve(state_file) };
  }
  const is_made_on_first_use = key_file === null;
  if (is_made_on_first_use && database.kind === "server") return noKeyConfigured();
  const home = database.kind === "embedded" ? database.home : ".";
  const key_path = resolve(key_file ?? join(home, EMBEDDED_KEY_FILE));
  return {
    kind: "file",
    key_path,
    state_path: state_file === null ? statePathOf(key_path) : resolve(state_file),
    is_made_on_first_use,
  };
};

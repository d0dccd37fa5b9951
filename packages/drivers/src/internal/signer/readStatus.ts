import * as Effect from "effect/Effect";
import { readKeys } from "./KeyFile.ts";
import { type OpenSigner, openSigner, type SignerError } from "./OpenSigner.ts";
import type { LogSignerConfig } from "./SignerConfig.ts";
import type { SignedCheckpoint } from "./SignerState.ts";

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

const keyPath = (config: LogSignerConfig) => (config.kind === "file" ? config.key_path : null);

/** An open signer as everyone may see it. */
export const statusOf = ({ config, keys, state }: OpenSigner): SignerStatus => ({
  keys: [
    ...keys.map(({ verifier }, index) => ({
      vkey: verifier.text,
      role: index === 0 ? ("active" as const) : ("next" as const),
    })),
    ...state.retired.map((vkey) => ({ vkey, role: "retired" as const })),
  ],
  last: state.last,
  key_path: keyPath(config),
  state_path: config.state_path,
});

/** Reads who signs and what was signed last; makes no key. */
export const readStatus = (config: LogSignerConfig): Effect.Effect<SignerStatus, SignerError> =>
  Effect.gen(function* () {
    const isUnmade = config.kind === "file" && config.is_made_on_first_use;
    if (isUnmade && (yield* readKeys(config)) === null) {
      return { keys: [], last: null, key_path: keyPath(config), state_path: config.state_path };
    }
    return yield* openSigner(config, (signer) => Effect.succeed(statusOf(signer)));
  });

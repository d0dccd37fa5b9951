import * as Effect from "effect/Effect";
import type { SignerError, SignerStatus } from "../../LogSigner.ts";
import { readKeys } from "./KeyFile.ts";
import { type OpenSigner, openSigner } from "./OpenSigner.ts";
import type { LogSignerConfig } from "./SignerConfig.ts";

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

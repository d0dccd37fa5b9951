import type { LogProofs } from "@runproof/schemas/Bundle";
import type {
  DatabaseError,
  LogForked,
  LogShrunk,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { LogCoordinator, type LoggedTrace } from "../LogCoordinator.ts";
import { TrustedKeys } from "../TrustedKeys.ts";

/** What a bundle says of the log; with no proofs, why there are none, and else what is not known of them. */
export type BundleProofs =
  | { readonly log: LogProofs; readonly note: string | null }
  | { readonly log: null; readonly note: string };

const without = (why: string): BundleProofs => ({
  log: null,
  note: `The bundle holds no proof from the log: ${why}.`,
});

/**
 * The proofs of a trace for its bundle. Where no checkpoint covers the trace yet, one is signed if this process has a
 * key; without one, or where it must be one of given keys, the bundle goes without. A log that contradicts what was signed is an error all the same.
 */
export const bundleProofs = (
  trace: LoggedTrace,
): Effect.Effect<
  BundleProofs,
  DatabaseError | LogForked | LogShrunk | StoredDataUnreadable,
  LogCoordinator
> =>
  Effect.gen(function* () {
    const log = yield* LogCoordinator;
    const isKeyGiven = (yield* TrustedKeys).length > 0;
    const prove = Effect.map(
      Effect.all([log.proveTrace(trace), log.unknownSigner]),
      ([proofs, note]): BundleProofs => ({ log: proofs, note }),
    );
    return yield* prove.pipe(
      Effect.catchTag("LogEntryNotFound", (error) =>
        isKeyGiven ? Effect.fail(error) : Effect.andThen(log.checkpoint(), prove),
      ),
      Effect.catchTag(
        [
          "LogEntryNotFound",
          "ConfigurationInvalid",
          "SignerStateInvalid",
          "LockHeld",
          "FileFailed",
          // A standby can be read, and takes no checkpoint.
          "DatabaseUnfit",
        ],
        (error) => Effect.succeed(without(error.message)),
      ),
    );
  });

/** The keys that the log's checkpoints must be signed by, where whoever asks for a proof knows them. */
import { parseVerifierKey, type VerifierKey } from "@runproof/proof/NoteKey";
import { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import { refusable } from "../internal/refused.ts";

/** What proofs and exports made under it take for the log's: a checkpoint that one of these signed. Empty for no demand. */
export const TrustedKeys = Context.Reference<ReadonlyArray<VerifierKey>>(
  "@runproof/spine-coordinators/ledger/TrustedKeys",
  { defaultValue: () => [] },
);

/** Runs `work` under these verifier keys; `where` names them in the error for what is no key. */
export const trusting = <A, E, R>(
  vkeys: ReadonlyArray<string>,
  where: string,
  work: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | InvalidInput, R> =>
  Effect.flatMap(
    Effect.forEach(vkeys, (text) =>
      Effect.mapError(
        refusable(() => parseVerifierKey(text)),
        ({ what, remedy }) => new InvalidInput({ what, where, remedy }),
      ),
    ),
    (keys) => Effect.provideService(work, TrustedKeys, keys),
  );

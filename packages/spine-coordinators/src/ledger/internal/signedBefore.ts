import { openCheckpoint } from "@runproof/proof/Checkpoint";
import { parseVerifierKey } from "@runproof/proof/NoteKey";
import { ConfigurationInvalid, SignerStateInvalid } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { LedgerBridge, type SignerStatus } from "../LedgerBridge.ts";
import { headOf, requireTree } from "./LoggedTree.ts";

/**
 * What the database keeps of who signed its log before, for a signer that signed nothing yet; null where nobody did. Such a
 * signer knows of no tree that this one must extend, so it takes the newest checkpoint that is kept: a log that contradicts
 * it is signed by no key, and under one name no second key takes the place of the first. Answers the other log's name.
 */
export const signedBefore = ({ keys, state_path }: SignerStatus) =>
  Effect.gen(function* () {
    const kept = yield* Effect.flatMap(LedgerBridge, ({ checkpoints }) => checkpoints.latest);
    if (kept === null || kept.tree_size === 0) return null;
    const head = yield* headOf(kept);
    yield* requireTree(head, "the newest checkpoint that the database keeps");
    const own = keys.map(({ vkey }) => parseVerifierKey(vkey));
    if (openCheckpoint(head.note, own).is_trusted) {
      return yield* new SignerStateInvalid({
        path: state_path,
        what: `it says that this key signed nothing, and the database keeps a checkpoint of ${head.tree_size} entries by it`,
        remedy:
          "Put the state back, or run `runproof keys restore-state --checkpoint FILE` with the newest checkpoint.",
      });
    }
    if (own.some(({ name }) => name === head.origin)) {
      return yield* new ConfigurationInvalid({
        setting: "RUNPROOF_LOG_KEY_FILE",
        what: `the log ${head.origin} of this database was signed by another key`,
        remedy:
          "Sign with that key, and change it with `runproof keys rotate`. If it is lost, make a key for a log of another name: `runproof keys generate --origin NAME --out FILE`.",
      });
    }
    return head.origin;
  });

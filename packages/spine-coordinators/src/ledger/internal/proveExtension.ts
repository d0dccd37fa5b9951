import { parseCheckpoint, type TreeHead } from "@runproof/proof/Checkpoint";
import { formatConsistencyProof } from "@runproof/proof/ConsistencyProof";
import {
  type DatabaseError,
  InvalidInput,
  LogEntryNotFound,
  type LogForked,
  type LogShrunk,
  type StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { LedgerBridge, type SignerError } from "../LedgerBridge.ts";
import { invalidInput, refusable } from "../../internal/refused.ts";
import { latestHead, noHead } from "./latestHead.ts";
import { checkedConsistency, headOf, requireTree, rootOf } from "./LoggedTree.ts";

/** A tree of the log: by its size, or by a checkpoint of it that was kept elsewhere. */
export type TreeReference = { readonly size: number } | { readonly note: string };

/** The proof that one tree of the log extends another. Hashes are hex. */
export interface ExtensionProof {
  readonly from: Pick<TreeHead, "tree_size" | "root_hash">;
  readonly to: TreeHead;
  readonly path: ReadonlyArray<string>;
  /** The whole as the body of C2SP tlog-witness's `add-checkpoint`. */
  readonly text: string;
}

type ExtensionError =
  | DatabaseError
  | InvalidInput
  | LogEntryNotFound
  | LogForked
  | LogShrunk
  | StoredDataUnreadable
  | SignerError;

/** A checkpoint from outside, which the log must still begin with. */
const heldHead = (note: string, where: string) =>
  Effect.gen(function* () {
    const head = yield* refusable(() => parseCheckpoint(note)).pipe(
      Effect.mapError((refusal) => invalidInput(refusal, where)),
    );
    yield* requireTree(head, `the checkpoint of ${where}, whose signature is not checked,`);
    return { ...head, note };
  });

/** A checkpoint over that many entries, as the database keeps it. */
const keptHead = (size: number) =>
  Effect.gen(function* () {
    const kept = yield* Effect.flatMap(LedgerBridge, ({ checkpoints }) => checkpoints.ofSize(size));
    return kept === null ? null : yield* headOf(kept);
  });

const newerHead = (to: TreeReference | null) =>
  Effect.gen(function* () {
    if (to !== null && "note" in to) return yield* heldHead(to.note, "--to");
    const head = yield* to === null ? latestHead : keptHead(to.size);
    if (head === null) {
      return yield* new LogEntryNotFound({
        what: to === null ? yield* noHead : `no checkpoint over ${to.size} entries is kept`,
        remedy: "Run `runproof checkpoint` where the log's key is, and leave --to out.",
      });
    }
    yield* requireTree(head, "the newer checkpoint");
    return head;
  });

const olderHead = (from: TreeReference, origin: string) =>
  Effect.gen(function* () {
    if ("size" in from) return { tree_size: from.size, root_hash: yield* rootOf(from.size) };
    const head = yield* heldHead(from.note, "--from");
    if (head.origin === origin) return head;
    return yield* new InvalidInput({
      what: `it is a checkpoint of the log ${head.origin}, and this is ${origin}`,
      where: "--from",
      remedy: "Give a checkpoint of this log.",
    });
  });

/**
 * Proves that the log's tree `to` (the latest checkpoint where it is null) extends its tree `from`. A checkpoint from
 * elsewhere that the log does not begin with is `LogShrunk` or `LogForked`: that is the finding.
 */
export const proveExtension = (
  from: TreeReference,
  to: TreeReference | null,
): Effect.Effect<ExtensionProof, ExtensionError, LedgerBridge> =>
  Effect.gen(function* () {
    const newer = yield* newerHead(to);
    if ("size" in from && from.size > newer.tree_size) {
      return yield* new InvalidInput({
        what: `${from.size} is more than the ${newer.tree_size} entries of the newer tree`,
        where: "--from",
        remedy: "Give the older tree's size.",
      });
    }
    const older = yield* olderHead(from, newer.origin);
    if (older.tree_size > newer.tree_size) {
      return yield* new InvalidInput({
        what: `its ${older.tree_size} entries are more than the ${newer.tree_size} of the newer tree`,
        where: "--from",
        remedy: "Run `runproof checkpoint` first, or swap the two.",
      });
    }
    const path = yield* checkedConsistency(older, newer);
    const text = formatConsistencyProof({
      old_size: older.tree_size,
      path,
      checkpoint: newer.note,
    });
    const { origin, tree_size, root_hash } = newer;
    return {
      from: { tree_size: older.tree_size, root_hash: older.root_hash },
      to: { origin, tree_size, root_hash },
      path,
      text,
    };
  });

import { entryLeafHash, isLogEntry } from "@runproof/proof/LogEntry";
import { formatTlogProof } from "@runproof/proof/TlogProof";
import { LogEntryNotFound, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { SIGNED_LAST, type StoredLogEntry } from "../LedgerBridge.ts";
import { isOwnHead, latestHead, noHead } from "./latestHead.ts";
import { inclusionOf, requireTree } from "./LoggedTree.ts";

/** An entry's proof of inclusion under a signed checkpoint. Hashes are hex. */
export interface EntryProof {
  readonly index: number;
  readonly kind: number;
  readonly digest: string;
  readonly leaf_hash: string;
  readonly tree_size: number;
  readonly root_hash: string;
  readonly path: ReadonlyArray<string>;
  /** The whole as C2SP tlog-proof@v1 text. */
  readonly text: string;
}

/** The latest checkpoint, which must cover an entry. */
const coveringHead = (index: number) =>
  Effect.gen(function* () {
    const head = yield* latestHead;
    if (head !== null && head.tree_size > index) return head;
    return yield* new LogEntryNotFound({
      what:
        head === null
          ? yield* noHead
          : `no checkpoint covers log entry ${index}: the latest is over ${head.tree_size} entries`,
      remedy: "Run `runproof checkpoint` where the log's key is.",
    });
  });

/** Proves an entry under the latest checkpoint. */
export const proveEntry = (entry: StoredLogEntry) =>
  Effect.gen(function* () {
    const { log_index: index, kind, digest } = entry;
    if (!isLogEntry(entry)) {
      return yield* new StoredDataUnreadable({
        where: `log entry ${index}`,
        what: "it is no entry that the format knows",
      });
    }
    const head = yield* coveringHead(index);
    const { tree_size, root_hash } = head;
    const leaf_hash = entryLeafHash(entry);
    const path = yield* inclusionOf({ index, leaf_hash }, head).pipe(
      // Where the log as a whole is not what was signed, the entry is not what is wrong.
      Effect.tapError(() =>
        Effect.flatMap(isOwnHead(head), (is_own) =>
          is_own ? requireTree(head, SIGNED_LAST) : Effect.void,
        ),
      ),
    );
    const text = formatTlogProof({ index, path, checkpoint: head.note });
    return {
      index,
      kind,
      digest,
      leaf_hash,
      tree_size,
      root_hash,
      path,
      text,
    } satisfies EntryProof;
  });

import { entryLeafHash, isLogEntry } from "@runproof/proof/LogEntry";
import { formatTlogProof } from "@runproof/proof/TlogProof";
import { LogEntryNotFound, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { CheckpointsBridge } from "../../CheckpointsBridge.ts";
import type { StoredLogEntry } from "../../LogBridge.ts";
import { headOf, inclusionOf } from "./LoggedTree.ts";

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

/** The latest kept checkpoint, which must cover an entry. */
const coveringCheckpoint = (index: number) =>
  Effect.gen(function* () {
    const kept = yield* Effect.flatMap(CheckpointsBridge, (checkpoints) => checkpoints.latest);
    if (kept !== null && kept.tree_size > index) return yield* headOf(kept);
    return yield* new LogEntryNotFound({
      what:
        kept === null
          ? "no checkpoint of the log was signed yet"
          : `no checkpoint covers log entry ${index}: the latest is over ${kept.tree_size} entries`,
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
    const { note, tree_size, root_hash } = yield* coveringCheckpoint(index);
    const leaf_hash = entryLeafHash(entry);
    const path = yield* inclusionOf({ index, leaf_hash }, { tree_size, root_hash });
    const text = formatTlogProof({ index, path, checkpoint: note });
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

import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import type { DatabaseError, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import { CheckpointsBridge } from "../../CheckpointsBridge.ts";
import { LogBridge } from "../../LogBridge.ts";
import {
  type SignedCheckpoint,
  SignerBridge,
  type SignError,
  type TreeProposal,
} from "../../SignerBridge.ts";
import { consistencyOf, rootOf } from "./LoggedTree.ts";

/** How long another process's numbering is waited for: a batch takes some hundred milliseconds. */
const SETTLE_WAIT_MS = 5_000;
const SETTLE_RETRY_MS = 20;

/**
 * Has what is queued numbered, by this process or the one that is at it; answers the log's size. Under steady writing
 * something is always queued: what counts is that as much was numbered as was queued at first.
 */
export const settleLog: Effect.Effect<number, DatabaseError, LogBridge> = Effect.gen(function* () {
  const log = yield* LogBridge;
  const before = yield* log.size;
  for (let waited_ms = 0; ; waited_ms += SETTLE_RETRY_MS) {
    yield* log.sequence;
    const { size, pending } = yield* log.size;
    if (pending === 0 || size >= before.size + before.pending) return size;
    if (waited_ms >= SETTLE_WAIT_MS) return size;
    yield* Effect.sleep(Duration.millis(SETTLE_RETRY_MS));
  }
});

/** The log's tree as it is now, with the proof that it extends the last one that was signed, as far as there is one. */
const proposeTree = (last: SignedCheckpoint | null) =>
  Effect.gen(function* () {
    const tree_size = yield* settleLog;
    const root_hash = yield* rootOf(tree_size);
    if (last === null || last.tree_size > tree_size) {
      return { tree_size, root_hash, signed_root: null, consistency: [] } satisfies TreeProposal;
    }
    return {
      tree_size,
      root_hash,
      signed_root: yield* rootOf(last.tree_size),
      consistency: yield* consistencyOf(last.tree_size, tree_size),
    } satisfies TreeProposal;
  });

/** Signs the log as it is now, and keeps the checkpoint in the database too. */
export const checkpointLog: Effect.Effect<
  SignedCheckpoint,
  SignError | DatabaseError | StoredDataUnreadable,
  LogBridge | SignerBridge | CheckpointsBridge
> = Effect.gen(function* () {
  const signer = yield* SignerBridge;
  const checkpoints = yield* CheckpointsBridge;
  const signed = yield* signer.sign(proposeTree);
  // The same note again: an earlier process signed it, and may have died before it was kept.
  const kept = yield* checkpoints.ofSize(signed.tree_size);
  if (kept?.note !== signed.note) yield* checkpoints.store(signed);
  return signed;
});

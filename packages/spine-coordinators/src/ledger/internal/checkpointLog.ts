import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import type { DatabaseError, StoredDataUnreadable } from "@runproof/schemas/RunProofError";
import {
  LedgerBridge,
  type SignedCheckpoint,
  type SignError,
  type TreeProposal,
} from "../LedgerBridge.ts";
import { consistencyOf, rootOf } from "./LoggedTree.ts";
import { signedBefore } from "./signedBefore.ts";

/** How long another process's numbering is waited for: a batch takes some hundred milliseconds. */
const SETTLE_WAIT_MS = 5_000;
const SETTLE_RETRY_MS = 20;

/** The log after its queue was looked after. */
export interface SettledLog {
  readonly size: number;
  /** Entries that were committed before and have no index yet: another process was at it, and took too long. */
  readonly waiting: number;
}

/**
 * Has what is queued numbered, by this process or the one that is at it. Under steady writing something is always
 * queued: what counts is that as much was numbered as was queued at first.
 */
export const settleLog: Effect.Effect<SettledLog, DatabaseError, LedgerBridge> = Effect.gen(
  function* () {
    const { log } = yield* LedgerBridge;
    const before = yield* log.size;
    const wanted = before.size + before.pending;
    for (let waited_ms = 0; ; waited_ms += SETTLE_RETRY_MS) {
      yield* log.sequence;
      const { size, pending } = yield* log.size;
      const waiting = Math.min(pending, Math.max(0, wanted - size));
      if (waiting === 0 || waited_ms >= SETTLE_WAIT_MS) return { size, waiting };
      yield* Effect.sleep(Duration.millis(SETTLE_RETRY_MS));
    }
  },
);

/** The log's tree at a size, with the proof that it extends the last one that was signed, as far as there is one. */
const proposeTree = (last: SignedCheckpoint | null, tree_size: number) =>
  Effect.gen(function* () {
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

/** A checkpoint of the log as it was just then. */
export interface LogCheckpoint extends SignedCheckpoint {
  /** Entries that were committed before and that it does not cover: 0, unless another process held up their numbering. */
  readonly waiting: number;
  /** The name under which the log was signed before this key's first checkpoint; null where it was not, and after that one. */
  readonly follows: string | null;
}

/** Signs the log as it is now, and keeps the checkpoint in the database too. */
export const checkpointLog: Effect.Effect<
  LogCheckpoint,
  SignError | DatabaseError | StoredDataUnreadable,
  LedgerBridge
> = Effect.gen(function* () {
  const { signer } = yield* LedgerBridge;
  const { checkpoints } = yield* LedgerBridge;
  let waiting = 0;
  let follows: string | null = null;
  const status = yield* signer.status;
  const signed = yield* signer.sign((last) =>
    Effect.gen(function* () {
      if (last === null) follows = yield* signedBefore(status);
      const log = yield* settleLog;
      waiting = log.waiting;
      return yield* proposeTree(last, log.size);
    }),
  );
  // The same note again: an earlier process signed it, and may have died before it was kept.
  const kept = yield* checkpoints.ofSize(signed.tree_size);
  if (kept?.note !== signed.note) yield* checkpoints.store(signed);
  return { ...signed, waiting, follows };
});

/** Changes of the log's keys, which the log holds itself. Making and listing keys needs no log: the signer does it. */
import { eventRecordText, readEventRecord } from "@runproof/proof/EventRecord";
import { eventDigest, LogEntryKind } from "@runproof/proof/LogEntry";
import type { EventKind } from "@runproof/schemas/EventRecord";
import {
  type DatabaseError,
  type InvalidInput,
  LogEntryNotFound,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import {
  type KeyRotation,
  LedgerBridge,
  SIGNED_LAST,
  type SignerError,
  type SignError,
  type SignerStatus,
} from "./LedgerBridge.ts";
import { checkpointLog, settleLog } from "./internal/checkpointLog.ts";
import { requireTree } from "./internal/LoggedTree.ts";
import { newestKept } from "./internal/newestKept.ts";
import { now } from "../internal/now.ts";
import { invalidInput, refusable } from "../internal/refused.ts";

export type { LogKey, SignerStatus } from "./LedgerBridge.ts";

/** A rotation that is done. */
export interface RotatedKeys {
  readonly old_vkey: string;
  readonly new_vkey: string;
  /** Whether an earlier call had done all of it, and was cut off before it said so. */
  readonly was_done: boolean;
}

/** Changes keys. */
export class KeyCoordinator extends Context.Service<
  KeyCoordinator,
  {
    /**
     * Puts a new key in the old one's place: an EVENT that it was added under a checkpoint that both sign, an EVENT that
     * the old one is retired under another, and the old private key is dropped. Cut off anywhere, it is taken up by the
     * next call. A log that does not extend what the key signed last is `LogShrunk` or `LogForked`: nothing is written then.
     */
    readonly rotate: (input: {
      readonly actor: string;
      readonly reason: string;
    }) => Effect.Effect<
      RotatedKeys,
      SignError | DatabaseError | StoredDataUnreadable | InvalidInput | LogEntryNotFound
    >;
    /**
     * Makes the signer's lost state anew from the newest checkpoint it signed; from null for a key that never signed. Refused
     * where the database keeps a newer one of this key.
     */
    readonly restoreState: (
      note: string | null,
    ) => Effect.Effect<SignerStatus, SignerError | InvalidInput | DatabaseError>;
  }
>()("@runproof/spine-coordinators/ledger/KeyCoordinator") {
  static readonly layer: Layer.Layer<KeyCoordinator, never, LedgerBridge> = Layer.effect(
    KeyCoordinator,
    Effect.gen(function* () {
      const context = yield* Effect.context<LedgerBridge>();
      return KeyCoordinator.of({
        rotate: (input) => Effect.provideContext(rotate(input), context),
        restoreState: (note) => Effect.provideContext(restoreState(note), context),
      });
    }),
  );
}

interface Authority {
  readonly actor: string;
  readonly reason: string;
}

const rotate = Effect.fn("KeyCoordinator.rotate")(function* (authority: Authority) {
  const { signer } = yield* LedgerBridge;
  return yield* signer.rotate((steps) =>
    Effect.gen(function* () {
      const { last } = yield* signer.status;
      if (last !== null) yield* requireTree(last, SIGNED_LAST);
      const rotation = yield* steps.begin;
      const { old_vkey, new_vkey, is_finished } = rotation;
      if (!is_finished) {
        yield* announce("key_added", rotation, authority);
        yield* checkpointLog;
        const retired_index = yield* announce("key_retired", rotation, authority);
        yield* checkpointLog;
        yield* steps.finish(retired_index);
      }
      return { old_vkey, new_vkey, was_done: is_finished } satisfies RotatedKeys;
    }),
  );
});

/** Puts an EVENT of a rotation into the log, unless an earlier attempt did; answers its index. */
const announce = Effect.fnUntraced(function* (
  event: EventKind,
  { old_vkey, new_vkey, from_index }: KeyRotation,
  { actor, reason }: Authority,
) {
  const { log } = yield* LedgerBridge;
  const detail = { old_vkey, new_vkey };
  yield* settleLog;
  const earlier = yield* findEvent(event, detail, from_index);
  if (earlier !== null) return earlier;
  const occurred_at = yield* now;
  const record = yield* refusable(() =>
    eventRecordText({ event, trace_id: null, occurred_at, actor, reason, detail }),
  ).pipe(Effect.mapError((refusal) => invalidInput(refusal, "event")));
  yield* log.recordEvent(record);
  const { waiting } = yield* settleLog;
  const index = yield* findEvent(event, detail, from_index);
  if (index !== null) return index;
  const what = `the EVENT ${event} was recorded and is not among the log's entries`;
  return yield* waiting > 0
    ? new LogEntryNotFound({
        what,
        remedy: "It is queued still: run `runproof keys rotate` again.",
      })
    : new StoredDataUnreadable({ where: "the log", what });
});

/** The index of a rotation's EVENT; null where there is none from `from_index` on. */
const findEvent = Effect.fnUntraced(function* (
  event: EventKind,
  detail: { readonly old_vkey: string; readonly new_vkey: string },
  from_index: number,
) {
  const { log } = yield* LedgerBridge;
  for (let from = from_index; ;) {
    const entries = yield* log.entries({ from });
    for (const { kind, event_record, digest, log_index } of entries) {
      if (kind !== LogEntryKind.EVENT || event_record === null) continue;
      if (eventDigest(event_record) !== digest) continue;
      const record = readEventRecord(event_record);
      const isIt =
        record?.event === event &&
        record.detail["old_vkey"] === detail.old_vkey &&
        record.detail["new_vkey"] === detail.new_vkey;
      if (isIt) return log_index;
    }
    const last = entries.at(-1);
    if (last === undefined) return null;
    from = last.log_index + 1;
  }
});

const restoreState = Effect.fn("KeyCoordinator.restoreState")(function* (note: string | null) {
  const { signer } = yield* LedgerBridge;
  return yield* signer.restoreState(note, newestKept);
});

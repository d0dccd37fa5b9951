/** Moves sealed runs to the archive, deletes what was kept long enough, and holds what may not go. */
import { eventRecordText } from "@runproof/proof/EventRecord";
import { formatTimestamp } from "@runproof/proof/Timestamp";
import {
  type ControlsError,
  type DatabaseError,
  InvalidInput,
} from "@runproof/schemas/RunProofError";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { now } from "../internal/now.ts";
import { invalidInput, refusable } from "../internal/refused.ts";
import {
  ControlsBridge,
  type Hold,
  type HoldScope,
  type Order,
  type Retention,
  type SetRetention,
  type TraceEvent,
} from "./ControlsBridge.ts";

/** Evidence younger than this is not archived or deleted unless that is asked for: half a year, as records laws ask of logs. */
export const FLOOR_DAYS = 183;

/** Traces of one commit: few enough that a stopped command loses seconds, and that nobody waits long for a row. */
const BATCH_TRACES = 50;

const DAY_MS = 24 * 60 * 60 * 1000;

/** What to archive. */
export interface ArchiveRequest extends Order {
  /** All tenants where none is named. */
  readonly tenant_id?: string | undefined;
  /** How long ago a trace must have been sealed. */
  readonly older_than_days: number;
  /** Whether it may be less than `FLOOR_DAYS`. */
  readonly below_floor: boolean;
}

/** What has been done so far; `onProgress` gets it after each commit. */
export interface RetentionProgress {
  readonly traces: number;
}

type OnProgress = (progress: RetentionProgress) => Effect.Effect<void>;

/** What became of one tenant's archive. */
export interface RetentionOutcome {
  readonly tenant_id: string;
  readonly keep_days: number;
  readonly deleted: number;
}

/** Archive, retention and holds. */
export class RetentionCoordinator extends Context.Service<
  RetentionCoordinator,
  {
    /** Archives in batches, each durable before the next, so that it can be cut off and run again; answers how many. */
    readonly archive: (
      request: ArchiveRequest,
      onProgress?: OnProgress,
    ) => Effect.Effect<RetentionProgress, DatabaseError | InvalidInput>;
    /** Deletes from the archive what each tenant's retention lets go. */
    readonly deleteExpired: (
      order: Order,
      onProgress?: OnProgress,
    ) => Effect.Effect<ReadonlyArray<RetentionOutcome>, DatabaseError | InvalidInput>;
    readonly setRetention: (
      retention: Retention & Order & { readonly below_floor: boolean },
    ) => Effect.Effect<void, ControlsError>;
    readonly listRetentions: () => Effect.Effect<ReadonlyArray<SetRetention>, DatabaseError>;
    readonly setHold: (scope: HoldScope & Order) => Effect.Effect<number, ControlsError>;
    /** Fails where no such hold is in force. */
    readonly liftHold: (
      hold: Order & { readonly tenant_id: string; readonly hold_id: number },
    ) => Effect.Effect<void, ControlsError>;
    readonly listHolds: (tenant_id: string) => Effect.Effect<ReadonlyArray<Hold>, DatabaseError>;
  }
>()("@runproof/spine-coordinators/controls/RetentionCoordinator") {
  static readonly layer: Layer.Layer<RetentionCoordinator, never, ControlsBridge> = Layer.effect(
    RetentionCoordinator,
    Effect.map(ControlsBridge, (controls) =>
      RetentionCoordinator.of({
        archive: archive(controls),
        deleteExpired: deleteExpired(controls),
        setRetention: ({ tenant_id, keep_days, below_floor, ...order }) =>
          Effect.andThen(
            keep_days === null ? Effect.void : requireFloor("--days", keep_days, below_floor),
            controls.retentions.set({ tenant_id, keep_days }, order),
          ),
        listRetentions: controls.retentions.list,
        setHold: ({ tenant_id, run_id, ...order }) =>
          controls.holds.set({ tenant_id, run_id }, order),
        liftHold: Effect.fnUntraced(function* ({ tenant_id, hold_id, ...order }) {
          if (yield* controls.holds.lift({ tenant_id, hold_id }, order)) return;
          return yield* new InvalidInput({
            what: `tenant ${tenant_id} has no hold ${hold_id} in force`,
            where: "hold",
            remedy: "Name one of its holds that were not lifted yet.",
          });
        }),
        listHolds: controls.holds.list,
      }),
    ),
  );
}

const requireFloor = (where: string, days: number, below_floor: boolean) =>
  below_floor || days >= FLOOR_DAYS
    ? Effect.void
    : Effect.fail(
        new InvalidInput({
          what: `${days} days are below the floor of ${FLOOR_DAYS}: evidence that young is kept where it is`,
          where,
          remedy: `Ask for ${FLOOR_DAYS} days or more, or say that it may be below the floor.`,
        }),
      );

const daysAgo = (days: number): Effect.Effect<string> =>
  Effect.map(Clock.currentTimeMillis, (ms) => formatTimestamp(BigInt(ms - days * DAY_MS) * 1000n));

/** The EVENT of an operation on a trace. */
const eventOf = (
  event: "archival" | "deletion",
  trace_id: string,
  { actor, reason }: Order,
  detail: Readonly<Record<string, string>>,
): Effect.Effect<TraceEvent, InvalidInput> =>
  Effect.gen(function* () {
    const occurred_at = yield* now;
    const event_record = yield* refusable(() =>
      eventRecordText({ event, trace_id, occurred_at, actor, reason, detail }),
    ).pipe(Effect.mapError((refusal) => invalidInput(refusal, "event")));
    return { trace_id, event_record };
  });

/** Takes batch after batch of what `find` finds, in the order of ids, until nothing is left. */
const inBatches = <A extends { readonly trace_id: string }, E, R>(
  find: (above: string | null) => Effect.Effect<ReadonlyArray<A>, E, R>,
  take: (batch: ReadonlyArray<A>) => Effect.Effect<number, E, R>,
  onProgress: OnProgress,
): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    let traces = 0;
    for (let above: string | null = null; ;) {
      const batch: ReadonlyArray<A> = yield* find(above);
      const last = batch.at(-1);
      if (last === undefined) return traces;
      traces += yield* take(batch);
      yield* onProgress({ traces });
      above = last.trace_id;
    }
  });

const archive =
  ({ archive: door }: ControlsBridge["Service"]): RetentionCoordinator["Service"]["archive"] =>
  (request, onProgress = () => Effect.void) =>
    Effect.gen(function* () {
      const { tenant_id, older_than_days, below_floor } = request;
      yield* requireFloor("--older-than", older_than_days, below_floor);
      const sealed_before = yield* daysAgo(older_than_days);
      const traces = yield* inBatches<
        { readonly trace_id: string },
        DatabaseError | InvalidInput,
        never
      >(
        (above) =>
          Effect.map(
            door.candidates({ tenant_id, sealed_before, above, limit: BATCH_TRACES }),
            (ids) => ids.map((trace_id) => ({ trace_id })),
          ),
        (batch) =>
          Effect.gen(function* () {
            const events = yield* Effect.forEach(batch, ({ trace_id }) =>
              eventOf("archival", trace_id, request, {}),
            );
            return (yield* door.move(events, sealed_before)).length;
          }),
        onProgress,
      );
      return { traces };
    });

const deleteExpired =
  ({
    archive: door,
    retentions,
  }: ControlsBridge["Service"]): RetentionCoordinator["Service"]["deleteExpired"] =>
  (order, onProgress = () => Effect.void) =>
    Effect.gen(function* () {
      const outcomes: Array<RetentionOutcome> = [];
      for (const { tenant_id, keep_days } of yield* retentions.list()) {
        if (keep_days === null) continue;
        const sealed_before = yield* daysAgo(keep_days);
        const deleted = yield* inBatches<
          { readonly trace_id: string; readonly root_hash: string; readonly heads: string },
          DatabaseError | InvalidInput,
          never
        >(
          (above) => door.deletable({ tenant_id, sealed_before, above, limit: BATCH_TRACES }),
          (batch) =>
            Effect.gen(function* () {
              const events = yield* Effect.forEach(batch, ({ trace_id, root_hash, heads }) =>
                eventOf("deletion", trace_id, order, { root_hash, heads }),
              );
              return (yield* door.delete(events, sealed_before)).length;
            }),
          onProgress,
        );
        outcomes.push({ tenant_id, keep_days, deleted });
      }
      return outcomes;
    });

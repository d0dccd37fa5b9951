/**
 * What happens to runs, in an order that the database gives: a run's steps by their index, a tenant's runs by the log's. So
 * whoever says what came last gets what is next, from any process, and nothing twice.
 */
import type { JsonObject } from "@runproof/proof/CanonicalJson";
import { LogEntryKind } from "@runproof/proof/LogEntry";
import { EventRecord } from "@runproof/schemas/EventRecord";
import type {
  DatabaseError,
  InvalidInput,
  RunDeleted,
  RunNotFound,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Schema from "effect/Schema";
import { LedgerBridge } from "../ledger/LedgerBridge.ts";
import { TraceCoordinator } from "../logs/TraceCoordinator.ts";

/** What the log says of one of a tenant's runs. */
export interface LogEvent {
  readonly log_index: number;
  /** `opened`, `sealed`, `head`, or what an EVENT says was done: `erasure`, `archival`. */
  readonly event: string;
  readonly run_id: string;
  readonly trace_id: string;
  readonly digest: string;
  readonly at: string;
}

/** Events of a tenant's runs after some place of the log. */
export interface LogEvents {
  readonly events: ReadonlyArray<LogEvent>;
  /** The place to go on after: entries of others were passed over. */
  readonly read_to: number;
}

/** What happened to one run after some of its steps. */
export interface RunEvents {
  /** Steps as they are recorded, without their payloads. */
  readonly steps: ReadonlyArray<{ readonly step_index: number; readonly record: JsonObject }>;
  /** Its seal, once all steps before it were given; null until then. */
  readonly sealed: { readonly status: string; readonly root_hash: string | null } | null;
}

/** Entries of one look at the log. */
const ENTRIES_AT_ONCE = 1_000;

/** Events of runs. */
export class EventCoordinator extends Context.Service<
  EventCoordinator,
  {
    /** The log's last place: what comes after it is new. -1 where the log is empty. */
    readonly end: Effect.Effect<number, DatabaseError>;
    readonly ofTenant: (input: {
      readonly tenant_id: string;
      readonly after: number;
    }) => Effect.Effect<LogEvents, DatabaseError>;
    /** Steps from an index on, and the seal. */
    readonly ofRun: (input: {
      readonly tenant_id: string;
      readonly run_id: string;
      readonly from: number;
    }) => Effect.Effect<
      RunEvents,
      DatabaseError | InvalidInput | RunDeleted | RunNotFound | StoredDataUnreadable
    >;
  }
>()("@runproof/spine-coordinators/events/EventCoordinator") {
  static readonly layer: Layer.Layer<EventCoordinator, never, LedgerBridge | TraceCoordinator> =
    Layer.effect(
      EventCoordinator,
      Effect.gen(function* () {
        const { log } = yield* LedgerBridge;
        const traces = yield* TraceCoordinator;
        return EventCoordinator.of({
          end: Effect.map(log.size, ({ size }) => size - 1),
          ofTenant: Effect.fnUntraced(function* (place) {
            const { entries, read_to } = yield* log.ofTenant({ ...place, limit: ENTRIES_AT_ONCE });
            const events = entries.map(
              ({ log_index, kind, event_record, run_id, trace_id, digest, sequenced_at }) => ({
                log_index,
                event: nameOf(kind, event_record),
                run_id,
                trace_id,
                digest,
                at: sequenced_at,
              }),
            );
            return { events, read_to };
          }),
          ofRun: Effect.fnUntraced(function* ({ from, ...run }) {
            const { steps, next_from, status, root_hash } = yield* traces.steps(run, { from });
            const isSealed = status !== "running" && next_from === null;
            return {
              steps: steps.map(({ step_index, record }) => ({ step_index, record })),
              sealed: isSealed ? { status, root_hash } : null,
            };
          }),
        });
      }),
    );
}

const NAMES: Readonly<Record<number, string>> = {
  [LogEntryKind.OPENED]: "opened",
  [LogEntryKind.SEALED]: "sealed",
  [LogEntryKind.HEAD]: "head",
};

const decodeEvent = Schema.decodeUnknownOption(Schema.fromJsonString(EventRecord));

/** An entry of a kind that nobody knows, or with a record that can't be read, is an event all the same. */
const nameOf = (kind: number, event_record: string | null): string =>
  NAMES[kind] ??
  Option.match(decodeEvent(event_record), {
    onNone: () => "unreadable",
    onSome: ({ event }) => event,
  });

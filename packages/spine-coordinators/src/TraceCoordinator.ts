/** Lists and shows traces as they are stored. What it shows is not a verdict; a proof is. */
import type { TraceFilter, TracePage } from "@runproof/drivers/TraceStore";
import type {
  DatabaseError,
  InvalidInput,
  RunNotFound,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type * as Schema from "effect/Schema";

/** A payload as it is stored: `absent` where the record commits to none, `erased` or `missing` where its text is gone. */
export type ShownPayload =
  | { readonly state: "present"; readonly value: Schema.Json }
  | { readonly state: "absent" | "erased" | "missing" };

/** A stored trace with its steps, payloads beside them. */
export interface ShownRun {
  /** The trace record, by its keys. */
  readonly trace: Readonly<Record<string, Schema.Json>>;
  /** `running`, `completed`, `failed` or `aborted`; anything else is shown as it is stored. */
  readonly status: string;
  /** The seal record, by its keys; null while the trace is open. */
  readonly seal: Readonly<Record<string, Schema.Json>> | null;
  readonly root_hash: string | null;
  readonly payloads: {
    readonly plan: ShownPayload;
    readonly attributes: ShownPayload;
    readonly metadata: ShownPayload;
  };
  readonly steps: ReadonlyArray<ShownStep>;
}

/** A stored step with its payloads. */
export interface ShownStep {
  /** The step record, by its keys. */
  readonly record: Readonly<Record<string, Schema.Json>>;
  readonly payloads: {
    readonly params: ShownPayload;
    readonly outcome_data: ShownPayload;
    readonly attributes: ShownPayload;
  };
}

/** Listings and single traces. */
export class TraceCoordinator extends Context.Service<
  TraceCoordinator,
  {
    readonly list: (filter: TraceFilter) => Effect.Effect<TracePage, DatabaseError | InvalidInput>;
    readonly show: (input: {
      readonly tenant_id: string;
      readonly run_id: string;
    }) => Effect.Effect<ShownRun, DatabaseError | RunNotFound | StoredDataUnreadable>;
  }
>()("@runproof/spine-coordinators/TraceCoordinator") {}

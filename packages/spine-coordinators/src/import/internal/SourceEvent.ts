/** What a source says, one event after another, whatever its format. */
import type { JsonObject, JsonValue } from "@runproof/proof/CanonicalJson";
import { Refusal } from "@runproof/proof/Refusal";

/** A source that says what no record can hold, or what its format does not know. */
export class SourceInvalid extends Refusal {
  readonly _tag = "SourceInvalid";
}

/** A run begins. Fields that are undefined are not in the source; the rest is checked when the record is made. */
export interface SourceRun {
  readonly event: "run";
  readonly run_id: JsonValue | undefined;
  /** What an id is derived from where the source names none; undefined where a survey of the source says it. */
  readonly content: JsonValue | undefined;
  /** Null where the source gives no time. */
  readonly started_at: JsonValue;
  readonly goal?: JsonValue | undefined;
  readonly plan?: JsonValue | undefined;
  readonly attributes?: JsonValue | undefined;
  /** Further keys of the trace record. */
  readonly fields: JsonObject;
}

/** A step of the run that began last. */
export interface SourceStep {
  readonly event: "step";
  /** Where the source counts its steps, the index that it gives this one. */
  readonly step_index?: JsonValue | undefined;
  readonly params?: JsonValue | undefined;
  readonly outcome_data?: JsonValue | undefined;
  readonly attributes?: JsonValue | undefined;
  /** Further keys of the step record. */
  readonly fields: JsonObject;
}

/** The run that began last ends. */
export interface SourceEnd {
  readonly event: "end";
  readonly status: JsonValue;
  /** In fixed words: what the source itself says is `detail`. */
  readonly reason: JsonValue;
  /** The source's own reason, which goes into the metadata. */
  readonly detail?: string | undefined;
  /** Null where the source gives no time. */
  readonly completed_at: JsonValue;
  readonly metadata?: JsonValue | undefined;
  /** What the metadata says of the import itself. */
  readonly import_notes: JsonObject;
}

/** What a source says next. */
export type SourceEvent = SourceRun | SourceStep | SourceEnd;

/** Brings the schema to head and says what is wrong with an installation. */
import type { OpenError } from "@runproof/drivers/Database";
import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";

/** A migration that was applied, by its number and name. */
export interface AppliedMigration {
  readonly id: number;
  readonly name: string;
}

/** One check of an installation. */
export interface DoctorCheck {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
  /** What to do; null where nothing is to be done. */
  readonly remedy: string | null;
}

/** The schema and the health of an installation. */
export class SchemaCoordinator extends Context.Service<
  SchemaCoordinator,
  {
    /** Applies what is pending; answers what was applied, in order. */
    readonly migrate: () => Effect.Effect<ReadonlyArray<AppliedMigration>, OpenError>;
    /** Every check, the failed ones too: what can't be checked is `fail`. */
    readonly doctor: () => Effect.Effect<ReadonlyArray<DoctorCheck>>;
  }
>()("@runproof/spine-coordinators/schema/SchemaCoordinator") {}

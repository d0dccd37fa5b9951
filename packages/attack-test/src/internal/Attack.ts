/** What an attack is: what it changes, and what must be found of it, both known before it is made. */
import type { JsonObject } from "@runproof/proof/CanonicalJson";
import type { AuditCode, AuditFinding } from "@runproof/schemas/AuditReport";
import type { AttackLab, Change, EvidenceRows } from "../AttackLab.ts";
import type { RunRows } from "./Forgery.ts";
import type { SeededRandom } from "./SeededRandom.ts";

/** A finding that must be made; a field that is left out may be anything. */
export interface Expected {
  readonly code: AuditCode;
  readonly trace_id?: string | null;
  readonly step_index?: number | null;
  readonly log_index?: number;
  readonly object?: string;
}

/** What an attack on rows does and what an audit must find of it. */
export interface RowPlan {
  readonly changes: ReadonlyArray<Change>;
  /** Findings that must be made, at least one of each. */
  readonly expected: ReadonlyArray<Expected>;
  /** What may be found beside them: consequences of the same change. */
  readonly also?: ReadonlyArray<Expected>;
}

/** Rows of runs that nobody touched yet, each given away once. */
export interface Victims {
  /** A sealed run of three steps or more, each with params. */
  readonly sealed: () => RunRows;
  /** An open run of three steps or more, of which the log has no HEAD. */
  readonly open: () => RunRows;
  /** An open run of three steps or more; the log has a HEAD of its last step but one. */
  readonly headed: () => RunRows;
}

interface Named {
  readonly row: number;
  /** What this way of the row's attack does. */
  readonly way: string;
}

/** Changes a run's rows, so that many can be made at once and looked for with one audit. */
export interface RunAttack extends Named {
  readonly kind: "run";
  /** True where nothing can be found: that is said openly. */
  readonly is_undetectable?: boolean;
  readonly plan: (victims: Victims, random: SeededRandom) => RowPlan;
}

/** What an attack on the whole database does. */
export interface DatabasePlan extends RowPlan {
  /** Run as the superuser after the changes. */
  readonly statements?: ReadonlyArray<string>;
  /** Whether the schema is changed too. */
  readonly changes_schema?: boolean;
  /** The error that the signer must refuse to sign with. */
  readonly signer_refuses?: "LogShrunk" | "LogForked";
}

/** Changes the whole database. */
export interface DatabaseAttack extends Named {
  readonly kind: "database";
  readonly plan: (target: HonestDatabase, random: SeededRandom) => DatabasePlan;
}

/** Changes what may not outlive its transaction, such as the roles that all databases of a server share: looked at from inside. */
export interface PassingAttack extends Named {
  readonly kind: "passing";
  readonly plan: (random: SeededRandom) => {
    readonly statements: ReadonlyArray<string>;
    /** Which object the check of the defences must name, and which others it must. */
    readonly object: string;
    readonly others?: ReadonlyArray<string>;
  };
}

/** Tries what the database must refuse; answers the refusal's code, or null where it was let through. */
export interface RefusedAttack extends Named {
  readonly kind: "refused";
  readonly expected: string;
  readonly attempt: RefusedAttempt;
}

export type RefusedAttempt =
  | {
      readonly login: "application" | "superuser";
      readonly statement: (target: HonestDatabase, random: SeededRandom) => string;
    }
  | "two appends"
  | "complete after the lease"
  | "complete after the sweep";

/** Attacks what is verified without a database; answers what it was found as, or null where it was taken as good. */
export interface ProofAttack extends Named {
  readonly kind: "proof";
  readonly expected: string;
  readonly attempt: (target: HonestDatabase, random: SeededRandom) => string | null;
}

export type Attack = RunAttack | DatabaseAttack | PassingAttack | RefusedAttack | ProofAttack;

/** The database before it is attacked. */
export interface HonestDatabase {
  readonly rows: EvidenceRows;
  readonly runs: ReadonlyMap<string, RunRows>;
  /** Sealed runs that nothing was done to. */
  readonly sealed: ReadonlyArray<RunRows>;
  readonly open: ReadonlyArray<RunRows>;
  readonly headed: ReadonlyArray<RunRows>;
  /** Steps of which a payload was erased, as recorded. */
  readonly erased: ReadonlyArray<JsonObject>;
  /** The checkpoint kept elsewhere: its note, and the key that signed it. */
  readonly checkpoint: string;
  readonly vkey: string;
}

export type Lab = AttackLab["Service"];

/** Whether a finding is one that was expected. */
export const matches = (finding: AuditFinding, expected: Expected): boolean =>
  Object.entries(expected).every(([field, value]) => finding[field as keyof Expected] === value);

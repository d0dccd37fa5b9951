/** What came of one run beyond its steps: incidents, what policies said, limits that were hit, decisions that were made. */
import type { JsonObject } from "@runproof/proof/CanonicalJson";
import { NOTES_KEY } from "@runproof/proof/RecorderNotes";
import type { RunName } from "@runproof/drivers/logs/readRun";
import {
  type DatabaseError,
  type RunDeleted,
  type RunNotFound,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { type Incident, IncidentsBridge } from "../incidents/IncidentsBridge.ts";
import {
  type ShownPayload,
  type ShownStep,
  type ShownTrace,
  TraceCoordinator,
} from "../logs/TraceCoordinator.ts";

/** What was decided of a step, or of the run where no step is named. */
export interface RunDecision {
  /** `BLOCKED` by a policy, `STOPPED` by a limit, `WARNED`, `PREVENTED` for another reason, `KILLED`: the run was cut off. */
  readonly decision: "BLOCKED" | "STOPPED" | "WARNED" | "PREVENTED" | "KILLED";
  readonly step_index: number | null;
  readonly rule: string | null;
  readonly reason: string;
}

/**
 * Which policy a run stood under: `version`; `none`, where its tenant had none; `not_asked`, where it tells of what was done
 * before anyone could ask; `unknown`, where the attributes that say it are gone.
 */
export type PolicyEvaluated =
  | { readonly state: "version"; readonly version: number }
  | { readonly state: "none" | "not_asked" | "unknown" };

/** Evidence of what a run did to its surroundings, each part from the domain that knows it. */
export interface RunEvidence {
  readonly run_id: string;
  readonly tenant_id: string;
  readonly trace_id: string;
  /** `none`, where there was no incident. */
  readonly impact: "none" | "incidents";
  readonly incidents_caused: ReadonlyArray<Incident>;
  readonly policies_evaluated: PolicyEvaluated;
  readonly limits_hit: ReadonlyArray<NonNullable<Incident["limit"]>>;
  readonly decisions_made: ReadonlyArray<RunDecision>;
  /** Steps whose attributes are gone: whether they were warned of is not known any more. */
  readonly decisions_unknown: number;
}

/** Why evidence can't be given. A domain that can't be reached is its own error, never an empty list. */
export type EvidenceError = DatabaseError | RunNotFound | RunDeleted | StoredDataUnreadable;

/** Evidence of runs. */
export class RunEvidenceCoordinator extends Context.Service<
  RunEvidenceCoordinator,
  { readonly get: (run: RunName) => Effect.Effect<RunEvidence, EvidenceError> }
>()("@runproof/spine-coordinators/evidence/RunEvidenceCoordinator") {
  static readonly layer: Layer.Layer<
    RunEvidenceCoordinator,
    never,
    TraceCoordinator | IncidentsBridge
  > = Layer.effect(
    RunEvidenceCoordinator,
    Effect.gen(function* () {
      const traces = yield* TraceCoordinator;
      const incidents = yield* IncidentsBridge;
      return RunEvidenceCoordinator.of({
        get: Effect.fnUntraced(function* (run) {
          const decisions: Array<RunDecision> = [];
          let decisions_unknown = 0;
          const trace = yield* traces.look(run, (steps) =>
            Effect.sync(() => {
              decisions.push(...steps.flatMap(decisionOf));
              decisions_unknown += steps.filter(isSilent).length;
            }),
          );
          const caused = yield* incidents.ofRun(run);
          yield* requireIncidents(decisions, caused);
          const { status, seal } = trace;
          const reason = typeof seal?.["reason"] === "string" ? seal["reason"] : "";
          const isStopped = decisions.some(({ decision }) => decision !== "WARNED");
          if (status === "aborted" && !isStopped)
            decisions.push({ decision: "KILLED", step_index: null, rule: null, reason });
          return {
            run_id: run.run_id,
            tenant_id: run.tenant_id,
            trace_id: textOf(trace.trace["trace_id"]),
            impact: caused.length === 0 ? "none" : "incidents",
            incidents_caused: caused,
            policies_evaluated: policyOf(trace),
            limits_hit: caused.flatMap(({ limit }) => (limit === null ? [] : [limit])),
            decisions_made: decisions,
            decisions_unknown,
          } satisfies RunEvidence;
        }),
      });
    }),
  );
}

const objectOf = (value: unknown): JsonObject | null =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : null;

/** A note of the recorder's. */
const noteOf = (attributes: ShownPayload, name: string): JsonObject | null =>
  attributes.state === "present"
    ? objectOf(objectOf(objectOf(attributes.value)?.[NOTES_KEY])?.[name])
    : null;

const isGone = ({ state }: ShownPayload): boolean => state === "erased" || state === "missing";

/** A step that says nothing any more of what the guard decided. What was prevented, its record says. */
const isSilent = ({ record, payloads }: ShownStep): boolean =>
  isGone(payloads.attributes) && record["status"] !== "skipped";

const policyOf = ({ trace, payloads: { attributes } }: ShownTrace): PolicyEvaluated => {
  if (trace["capture"] !== "gated" && trace["capture"] !== "inline") return { state: "not_asked" };
  if (isGone(attributes)) return { state: "unknown" };
  const version = noteOf(attributes, "policy")?.["version"];
  return typeof version === "number" ? { state: "version", version } : { state: "none" };
};

/** A step is prevented together with its incident: one without the other was taken away. */
const requireIncidents = (
  decisions: ReadonlyArray<RunDecision>,
  incidents: ReadonlyArray<Incident>,
): Effect.Effect<void, StoredDataUnreadable> => {
  const alone = decisions.find(
    ({ decision, step_index }) =>
      (decision === "BLOCKED" || decision === "STOPPED") &&
      !incidents.some((incident) => incident.step_index === step_index),
  );
  return alone === undefined
    ? Effect.void
    : Effect.fail(
        new StoredDataUnreadable({
          where: `the incident of step ${alone.step_index}`,
          what: "the step was prevented, and its incident is gone",
        }),
      );
};

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** A rule by its place or, of a limit, by its kind. */
const ruleOf = (value: unknown): string | null =>
  typeof value === "number" ? `rule ${value}` : textOf(value) || null;

const PREVENTIONS: Readonly<Record<string, RunDecision["decision"]>> = {
  POLICY_BLOCKED: "BLOCKED",
  LIMIT_EXCEEDED: "STOPPED",
};

const decisionOf = ({ record, payloads }: ShownStep): ReadonlyArray<RunDecision> => {
  const note = noteOf(payloads.attributes, "policy");
  const step_index = Number(record["step_index"]);
  const said = {
    step_index,
    rule: ruleOf(note?.["rule"]),
    reason: textOf(note?.["reason"]),
  };
  if (record["status"] === "skipped") {
    if (record["outcome_category"] !== "PREVENTED") return [];
    return [{ decision: PREVENTIONS[textOf(record["outcome_code"])] ?? "PREVENTED", ...said }];
  }
  // A gated act has two steps: its intent says it.
  return note?.["decision"] === "WARNED" && record["intent_index"] === null
    ? [{ decision: "WARNED", ...said }]
    : [];
};

/** What the routes of runs answer. */
import { canonicalize } from "@runproof/proof/CanonicalJson";
import { parseJson } from "@runproof/proof/JsonText";
import { InvalidInput } from "@runproof/schemas/RunProofError";
import { RecordingCoordinator } from "@runproof/spine-coordinators/logs/RecordingCoordinator";
import { INTENDED, type StepDraft } from "@runproof/spine-coordinators/logs/StepDraft";
import { TraceCoordinator } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import * as Effect from "effect/Effect";
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder";
import type * as Schema from "effect/Schema";
import { Api } from "./Api.ts";
import { freshJson, sealedJson } from "./Answer.ts";
import { Tenant } from "./Authorization.ts";
import { answered } from "./Problem.ts";
import type { Intent, Step } from "./Runs.ts";

const CATEGORIES = {
  success: "SUCCESS",
  failure: "PERMANENT",
  retry: "TRANSIENT",
  skipped: "SKIPPED",
} as const;

const draftBase = ({ skill_id, skill_name = skill_id, ...said }: typeof Intent.Type) => ({
  parent_step_index: null,
  started_at: null,
  retry_count: 0,
  replay_behavior: "execute" as const,
  idempotency_key: null,
  ...said,
  skill_id,
  skill_name,
  source: "external" as const,
});

const stepDraft = ({
  status,
  intent_index = null,
  outcome_data,
  outcome_category = CATEGORIES[status],
  outcome_code = null,
  cost_cents = null,
  duration_ms = null,
  ...said
}: typeof Step.Type): StepDraft => ({
  ...draftBase(said),
  status,
  intent_index,
  ...(outcome_data === undefined ? {} : { outcome_data }),
  outcome_category,
  outcome_code,
  cost_cents,
  duration_ms,
});

const intentDraft = (said: typeof Intent.Type): StepDraft => ({ ...draftBase(said), ...INTENDED });

const noStep = (step_index: number) =>
  new InvalidInput({
    where: "step_index",
    what: `the run has no step ${step_index}`,
    remedy: "List its steps.",
  });

/** The handlers of the runs group. */
export const RunHandlers = HttpApiBuilder.group(Api, "runs", (handlers) =>
  handlers.handleAll({
    start: Effect.fnUntraced(function* ({ payload, headers }) {
      const { tenant_id } = yield* Tenant;
      const recording = yield* RecordingCoordinator;
      return yield* recording.start({
        agent_id: null,
        origin_system_id: null,
        incident_id: null,
        replay_of: null,
        seed: null,
        frozen_timestamp: null,
        is_synthetic: false,
        synthetic_scenario_id: null,
        capture: "inline",
        ...payload,
        redaction: null,
        tenant_id,
        idempotency_key: headers["idempotency-key"],
      });
    }, answered),
    list: Effect.fnUntraced(function* ({ query }) {
      const { tenant_id } = yield* Tenant;
      const page = yield* (yield* TraceCoordinator).list({ ...query, tenant_id });
      return page as unknown as {
        traces: ReadonlyArray<Schema.Json>;
        next_cursor: string | null;
      };
    }, answered),
    get: Effect.fnUntraced(function* ({ params: { run_id } }) {
      const { tenant_id } = yield* Tenant;
      const trace = yield* (yield* TraceCoordinator).head({ tenant_id, run_id });
      return freshJson(JSON.stringify(trace));
    }, answered),
    intend: Effect.fnUntraced(function* ({ params: { run_id }, payload }) {
      const { tenant_id } = yield* Tenant;
      const { record } = yield* RecordingCoordinator;
      const { intent, ...at } = payload;
      return yield* record({ tenant_id, run_id, ...at, steps: [intentDraft(intent)] });
    }, answered),
    append: Effect.fnUntraced(function* ({ params: { run_id }, payload }) {
      const { tenant_id } = yield* Tenant;
      const { record } = yield* RecordingCoordinator;
      const { steps, ...at } = payload;
      return yield* record({ tenant_id, run_id, ...at, steps: steps.map(stepDraft) });
    }, answered),
    renew: Effect.fnUntraced(function* ({ params: { run_id }, payload }) {
      const { tenant_id } = yield* Tenant;
      return yield* (yield* RecordingCoordinator).renew({ tenant_id, run_id, ...payload });
    }, answered),
    complete: Effect.fnUntraced(function* ({ params: { run_id }, payload }) {
      const { tenant_id } = yield* Tenant;
      const { status = "completed", reason = null, ...said } = payload;
      const { seal } = yield* RecordingCoordinator;
      return yield* seal({ tenant_id, run_id, status, reason, ...said });
    }, answered),
    abort: Effect.fnUntraced(function* ({ params: { run_id }, payload }) {
      const { tenant_id } = yield* Tenant;
      const { seal } = yield* RecordingCoordinator;
      return yield* seal({ tenant_id, run_id, status: "aborted", ...payload });
    }, answered),
    steps: Effect.fnUntraced(function* ({ params: { run_id }, query }) {
      const { tenant_id } = yield* Tenant;
      const page = yield* (yield* TraceCoordinator).steps({ tenant_id, run_id }, query);
      return freshJson(JSON.stringify(page));
    }, answered),
    payload: Effect.fnUntraced(function* ({ params: { run_id, step_index, name } }) {
      const { tenant_id } = yield* Tenant;
      const traces = yield* TraceCoordinator;
      const page = yield* traces.steps({ tenant_id, run_id }, { from: step_index, limit: 1 });
      const step = page.steps.find((each) => each.step_index === step_index);
      const payload = step?.payloads[name];
      if (payload === undefined) return yield* noStep(step_index);
      if (payload.state === "present") return freshJson(canonicalize(payload.value));
      return yield* new InvalidInput({
        where: `step ${step_index}`,
        what: `its ${name} is ${payload.state}`,
        remedy: "List the run's steps: each says which payloads are present.",
      });
    }, answered),
    proof: Effect.fnUntraced(function* ({ params: { run_id }, query: { model, payloads } }) {
      const { tenant_id } = yield* Tenant;
      const { getRunProof } = yield* RunProofCoordinator;
      const include_payloads = payloads === "true";
      const proof = yield* getRunProof({ tenant_id, run_id, model, include_payloads });
      return freshJson(JSON.stringify(proof));
    }, answered),
    bundle: Effect.fnUntraced(function* ({ params: { run_id } }) {
      const { tenant_id } = yield* Tenant;
      const { getBundle } = yield* RunProofCoordinator;
      const { text } = yield* getBundle({ tenant_id, run_id });
      return yield* sealedJson(text, rootOf(text), "bundle");
    }, answered),
    stepBundle: Effect.fnUntraced(function* ({ params: { run_id, step_index } }) {
      const { tenant_id } = yield* Tenant;
      const { getStepBundle } = yield* RunProofCoordinator;
      const { text } = yield* getStepBundle({ tenant_id, run_id, step_index });
      return freshJson(text);
    }, answered),
  }),
);

/** The root of a bundle that its log proofs will not change any more; null while it has none: they come later. */
const rootOf = (text: string): string | null => {
  const { integrity, log } = parseJson(text) as unknown as {
    readonly integrity: { readonly root_hash: string };
    readonly log: unknown;
  };
  return log === null ? null : integrity.root_hash;
};

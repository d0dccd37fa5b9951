/** `runproof evidence`: what a run did to its surroundings, and what was decided of it. */
import type { RunEvidence } from "@runproof/spine-coordinators/evidence/RunEvidenceCoordinator";
import * as Command from "effect/cli/Command";
import * as Effect from "effect/Effect";
import { counted } from "../Count.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import { root } from "../Root.ts";
import { load, withStored } from "../Runproof.ts";
import { printable } from "../Screen.ts";

const policyOf = (policy: RunEvidence["policies_evaluated"]): string => {
  switch (policy.state) {
    case "version":
      return `version ${policy.version}`;
    case "none":
      return "none: its tenant had no policy";
    case "not_asked":
      return "not asked: the run tells of what was done before";
    case "unknown":
      return "not known any more: the trace's attributes are gone";
  }
};

/** What is known, a line each; that there was nothing is said. */
export const render = (evidence: RunEvidence): string => {
  const { incidents_caused, policies_evaluated, limits_hit, decisions_made, decisions_unknown } =
    evidence;
  const at = (step_index: number | null) =>
    step_index === null ? "the run" : `step ${step_index}`;
  return [
    `run       ${printable(evidence.run_id)} of tenant ${printable(evidence.tenant_id)}`,
    `impact    ${evidence.impact === "none" ? "none: no incident was recorded" : counted(incidents_caused.length, "incident")}`,
    ...incidents_caused.map(
      ({ kind, step_index, summary, occurred_at }) =>
        `  ${kind} at ${at(step_index)}, ${occurred_at}: ${printable(summary)}`,
    ),
    `policy    ${policyOf(policies_evaluated)}`,
    `limits    ${limits_hit.length === 0 ? "none was hit" : ""}`.trimEnd(),
    ...limits_hit.map(({ kind, value, observed }) => `  ${kind}: ${value}, at ${observed}`),
    `decisions ${decisions_made.length === 0 && decisions_unknown === 0 ? "none but to allow" : ""}`.trimEnd(),
    ...decisions_made.map(
      ({ decision, step_index, reason }) => `  ${decision} ${at(step_index)}: ${printable(reason)}`,
    ),
    ...(decisions_unknown === 0
      ? []
      : [`  not known any more of ${counted(decisions_unknown, "step")}: the attributes are gone`]),
    "checked   nothing: this is what is stored, and `runproof proof` checks it",
  ].join("\n");
};

export const command = Command.make(
  "evidence",
  { run_id: Options.runId, tenant_id: Options.tenantId, ...Options.database },
  Effect.fnUntraced(function* ({ databaseUrl, home, ...run }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { RunEvidenceCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/evidence/RunEvidenceCoordinator"),
    );
    const evidence = yield* withStored(
      { databaseUrl, home },
      RunEvidenceCoordinator.use((coordinator) => coordinator.get(run)),
    );
    if (json) yield* printJson(evidence);
    else yield* output.data(render(evidence));
  }),
).pipe(
  Command.withDescription(
    "Show a run's incidents, the policy it stood under, and what was decided",
  ),
  Command.withExamples([{ command: "runproof evidence r1 --tenant-id my-team" }]),
);

/** `runproof steps list`: calls across runs, as they are stored. Listing is no verdict; `--prove` adds one. */
import type { FoundSteps } from "@runproof/spine-coordinators/logs/LogsBridge";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as Call from "../Call.ts";
import * as Duration from "../Duration.ts";
import * as ListedProofs from "../ListedProofs.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import { root } from "../Root.ts";
import { load, withStored } from "../Runproof.ts";
import { printable, type Screen, tone } from "../Screen.ts";
import * as Table from "../Table.ts";
import { statusTones } from "../Timeline.ts";

/** The narrowest a call is cut to. */
const CALL_CELLS_MIN = 20;

/** Narrower terminals see times to the second, without the date's year. */
const COLUMNS_FOR_DATE = 100;

type ListedStep = FoundSteps["steps"][number];

const callOf = ({ skill_id, skill_name, params }: ListedStep): string => {
  const call =
    params.state === "present" ? Call.describeRecorded(skill_id, skill_name, params.value) : null;
  const lost = params.state === "gone" || params.state === "unreadable" ? ` (${params.state})` : "";
  return printable(call ?? `${skill_name}${lost}`);
};

/** A page of calls, newest first. */
export const renderSteps = (
  screen: Screen,
  { steps }: FoundSteps,
  proofs: ListedProofs.ListedProofs,
): string => {
  const isSearch = steps.some(({ matched }) => matched !== null);
  const isShort = screen.live && screen.columns < COLUMNS_FOR_DATE;
  return Table.render(
    screen,
    [
      { heading: "at (UTC)" },
      { heading: "run_id" },
      { heading: "#", align: "right" },
      { heading: "call", shrinks_to: CALL_CELLS_MIN },
      { heading: "status" },
      ...ListedProofs.columns(proofs),
      ...(isSearch ? [{ heading: "text in" }] : []),
      { heading: "took", align: "right", optional: true },
      { heading: "agent", optional: true },
    ],
    steps.map((step) => {
      const code = step.outcome_code === null ? "" : ` ${step.outcome_code}`;
      const clock = Duration.clock(step.at).slice(0, 19);
      return [
        { text: isShort ? clock.slice(5) : clock },
        { text: printable(step.run_id) },
        { text: String(step.step_index) },
        { text: callOf(step) },
        {
          text: printable(`${step.status}${code}`),
          paint: (text) => tone(screen, statusTones[step.status] ?? "bad", text),
        },
        ...ListedProofs.cells(screen, proofs, step.run_id),
        ...(isSearch ? [{ text: step.matched ?? "-" }] : []),
        { text: step.duration_ms === null ? "-" : Duration.format(Math.max(0, step.duration_ms)) },
        { text: printable(step.agent_id ?? "-") },
      ];
    }),
  );
};

const list = Command.make(
  "list",
  {
    tenant_id: Options.tenantId,
    run_id: Options.id("run-id", "R", "Only calls of this run"),
    agent_id: Options.id("agent-id", "A", "Only calls of this agent's runs"),
    skill_id: Options.id("skill", "S", "Only calls of this skill, by id or name"),
    statuses: Options.repeatable(
      Flag.Literals("status", ["success", "failure", "retry", "skipped", "unknown"]).pipe(
        Flag.withDescription(
          "Only calls that ended so; unknown: nothing is recorded of what came of it; repeatable",
        ),
      ),
    ),
    failed: Options.toggle("failed", "Only attempts that failed: --status failure --status retry"),
    outcome_code: Options.id("code", "C", "Only calls with this outcome code, such as HTTP_503"),
    host: Options.id("host", "H", "Only calls whose url names this host"),
    from: Options.since("Only calls that began at or after this time"),
    before: Options.time("before", "Only calls that began before this time"),
    text: Options.optional(
      Flag.String("text").pipe(
        Flag.withDescription("Only calls whose params, answer, attributes or names hold this text"),
      ),
    ),
    ...Options.marks,
    limit: Options.optional(Flag.Int("limit").pipe(Flag.withDescription("Most calls to list"))),
    cursor: Options.optional(
      Flag.String("cursor").pipe(Flag.withDescription("Go on where the page before ended")),
    ),
    ...ListedProofs.flags,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, prove, vkeys, failed, ...input }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { TraceCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/logs/TraceCoordinator"),
    );
    const statuses = failed
      ? [...input.statuses, "failure" as const, "retry" as const]
      : input.statuses;
    const { page, proofs } = yield* withStored(
      { databaseUrl, home },
      Effect.gen(function* () {
        const page = yield* (yield* TraceCoordinator).listSteps({ ...input, statuses });
        const run_ids = page.steps.map(({ run_id }) => run_id);
        const { tenant_id } = input;
        return {
          page,
          proofs: yield* ListedProofs.proveListed({ prove, vkeys, tenant_id, run_ids }),
        };
      }),
    );
    if (json)
      yield* printJson(proofs === null ? page : { ...page, proofs: Object.fromEntries(proofs) });
    else if (page.steps.length === 0) {
      yield* output.note("no calls match; what was erased is not searched");
    } else {
      yield* output.data(renderSteps(output.stdout, page, proofs));
      if (page.next_cursor !== null) yield* output.note(`more: --cursor ${page.next_cursor}`);
    }
    yield* ListedProofs.conclude(proofs);
  }),
).pipe(
  Command.withDescription("List calls across runs, newest first"),
  Command.withExamples([
    { command: "runproof steps list --agent-id support-agent --failed --since 1h" },
    {
      command: "runproof steps list --skill refund --text 1842 --since yesterday --prove",
      description: "Which run refunded order 1842, and was it changed since?",
    },
  ]),
);

export const command = Command.make("steps").pipe(
  Command.withDescription("List calls across runs"),
  Command.withSubcommands([list]),
);

/** `runproof run --plan FILE`: executes a plan as a recorded run. */
import type { RunOutcome } from "@runproof/spine-coordinators/runs/RunOutcome";
import type { StepEvent } from "@runproof/spine-coordinators/runs/RunCoordinator";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as Call from "../Call.ts";
import * as Duration from "../Duration.ts";
import * as ExitCode from "../ExitCode.ts";
import * as Json from "../Json.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withRunproof } from "../Runproof.ts";
import { clip, pad, printable, type Screen, tone, width } from "../Screen.ts";

const tones = { success: "good", failure: "bad", retry: "caution", skipped: "quiet" } as const;

type Started = Extract<StepEvent, { readonly event: "started" }>;
type Recorded = Extract<StepEvent, { readonly event: "recorded" }>;

/** Longer calls are cut in the notes; the record keeps them whole. */
const CALL_CELLS_MAX = 40;

/** What each step of a plan calls, set to one width. A plan that is none calls nothing: executing it says why. */
export const callsOf = (screen: Screen, plan: unknown): ReadonlyArray<string> => {
  const { steps } = (plan ?? {}) as { readonly steps?: unknown };
  const calls = (Array.isArray(steps) ? steps : []).map((step: unknown) => {
    const { skill, params } = (step ?? {}) as {
      readonly skill?: unknown;
      readonly params?: unknown;
    };
    const name = String(skill);
    return clip(screen, printable(Call.describe(name, params) ?? name), CALL_CELLS_MAX);
  });
  const longest = Math.max(0, ...calls.map(width));
  return calls.map((call) => pad(call, longest));
};

/** Draws each attempt of a plan once it is durable, as a line. */
export const stepLines = (
  screen: Screen,
  calls: ReadonlyArray<string>,
): ((event: Recorded) => string) => {
  return (event) => {
    const code = event.outcome_code === null ? "" : ` ${printable(event.outcome_code)}`;
    const state = tone(screen, tones[event.status], pad(`${event.status}${code}`, 18));
    const call = calls[event.plan_step] ?? printable(event.skill_id);
    return `step ${event.step_index}  ${call}  ${state}  ${Duration.format(event.duration_ms)}`;
  };
};

/** The end of a run, as `key  value` lines. */
export const renderOutcome = (screen: Screen, outcome: RunOutcome): string => {
  const good = outcome.status === "completed";
  const lines: ReadonlyArray<readonly [string, string]> = [
    ["run_id", printable(outcome.run_id)],
    ["trace_id", outcome.trace_id],
    ["status", tone(screen, good ? "good" : "bad", outcome.status)],
    ...(outcome.reason === null ? [] : [["reason", printable(outcome.reason)] as const]),
    ...(outcome.detail === null ? [] : [["detail", printable(outcome.detail)] as const]),
    ["root_hash", outcome.root_hash],
  ];
  return lines.map(([key, value]) => `${key.padEnd(9)}  ${value}`).join("\n");
};

/** Executes a plan, telling each step on stderr. */
export const execute = Effect.fnUntraced(function* (input: {
  readonly plan: unknown;
  readonly tenant_id: string;
  readonly run_id?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly origin_system_id?: string | undefined;
  readonly goal?: string | undefined;
  readonly capture?: "gated" | "inline" | undefined;
  readonly idempotency_key?: string | undefined;
  readonly is_synthetic?: boolean | undefined;
  readonly synthetic_scenario_id?: string | undefined;
}) {
  const output = yield* Output;
  const { RunCoordinator } = yield* load(
    () => import("@runproof/spine-coordinators/runs/RunCoordinator"),
  );
  const coordinator = yield* RunCoordinator;
  const calls = callsOf(output.stderr, input.plan);
  const line = stepLines(output.stderr, calls);
  const underWay = ({ plan_step, attempt, skill_id }: Started) => {
    const call = (calls[plan_step] ?? printable(skill_id)).trimEnd();
    return `step ${plan_step + 1} of ${calls.length}: ${call}${attempt === 0 ? "" : `, retry ${attempt}`}`;
  };
  let sealed: string | null = null;
  const provided = Effect.provideService(Output, output);
  return yield* Progress.during("running", null, (report) =>
    coordinator.execute({
      ...input,
      onSealed: ({ run_id, status }) =>
        Effect.sync(() => {
          sealed = `interrupted: the run ${printable(run_id)} is sealed as ${status}`;
        }),
      onStep: (event) =>
        event.event === "started"
          ? report({ detail: underWay(event) })
          : provided(Progress.note(line(event))),
    }),
  ).pipe(Effect.onInterrupt(() => (sealed === null ? Effect.void : output.note(sealed))));
});

export const command = Command.make(
  "run",
  {
    plan: Flag.String("plan").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription(
        'Plan, JSON: {"steps": [{"skill": "http_call", "params": {…}}]}; - for the standard input',
      ),
    ),
    tenant_id: Options.tenantId,
    run_id: Options.id("run-id", "R", "Id of the run; one is made where it is left out"),
    agent_id: Options.id("agent-id", "A", "Agent that runs"),
    origin_system_id: Options.id("origin-system-id", "S", "System that the run belongs to"),
    capture: Flag.Literals("capture", ["inline", "gated"]).pipe(
      Flag.withDescription(
        "inline: the plan is stored first, then each outcome; gated: each attempt's intent too, before it is made",
      ),
      Flag.withDefault("inline" as const),
    ),
    idempotency_key: Options.id(
      "idempotency-key",
      "KEY",
      "Execute this once: sent again with the same input, it answers the first outcome",
    ),
    mark: Options.scenario,
    goal: Options.optional(Flag.String("goal").pipe(Flag.withDescription("What the run is for"))),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, plan: path, mark, ...run }) {
    const { json } = yield* root;
    const output = yield* Output;
    const plan = yield* Json.readFile(path);
    const outcome = yield* withRunproof({ databaseUrl, home }, execute({ ...run, ...mark, plan }));
    if (json) yield* printJson(outcome);
    else yield* output.data(renderOutcome(output.stdout, outcome));
    if (outcome.status !== "completed") return yield* new ExitCode.Concluded({ code: 8 });
  }),
).pipe(
  Command.withDescription("Execute a plan, each step recorded before the next begins"),
  Command.withExamples([
    { command: "runproof run --plan plan.json --tenant-id demo --agent-id support-agent" },
    {
      command: "runproof run --plan plan.json --tenant-id demo --idempotency-key order-1842",
      description: "Safe to run again",
    },
    {
      command: "runproof run --plan plan.json --tenant-id demo --capture gated",
      description: "Say of a run that died what was begun and never recorded",
    },
    {
      command: "runproof run --plan plan.json --tenant-id demo --synthetic checkout-drill",
      description: "A drill: recorded and provable like any other, and counted in no total",
    },
  ]),
);

/** `runproof traces list|show`: what is stored. Showing is no verdict; `proof` is. */
import { InvalidInput } from "@runproof/schemas/RunProofError";
import { CAPTURE_MEANING } from "@runproof/schemas/RunProofResult";
import { Count } from "@runproof/schemas/Text";
import type { TracePage } from "@runproof/spine-coordinators/logs/LogsBridge";
import type { ShownStep, ShownTrace } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as Acts from "../Acts.ts";
import { counted } from "../Count.ts";
import * as Duration from "../Duration.ts";
import * as ListedProofs from "../ListedProofs.ts";
import * as Options from "../Options.ts";
import { jsonInParts, Output, printJson } from "../Output.ts";
import { root } from "../Root.ts";
import { load, withStored } from "../Runproof.ts";
import { printable, type Screen, type Tone, tone, wrap } from "../Screen.ts";
import * as Table from "../Table.ts";
import * as Timeline from "../Timeline.ts";

const tones: Readonly<Record<string, Tone>> = {
  completed: "good",
  failed: "bad",
  aborted: "caution",
  running: "accent",
};

const statusTone = (status: string): Tone => tones[status] ?? "bad";

/** Narrower terminals see times to the minute. */
const COLUMNS_FOR_SECONDS = 100;

const lasting = (duration_ms: number | null): string =>
  duration_ms === null ? "?" : Duration.format(Math.max(0, Math.round(duration_ms)));

const lastStepOf = ({ last_step }: ListedTrace): string => {
  if (last_step === null) return "-";
  const { step_index, skill_name, status, outcome_code } = last_step;
  const code = outcome_code === null ? "" : ` ${outcome_code}`;
  return printable(`#${step_index} ${skill_name} ${status}${code}`);
};

/** Why a run is no completed one: its seal's reason, or how it stands while it has none. */
const whyOf = ({ open, reason, detail }: ListedTrace): string => {
  if (open === null) return printable(detail ?? reason ?? "no reason is recorded");
  const { quiet_ms, lease_left_ms } = open;
  const left = Math.round(lease_left_ms ?? 0);
  const lease =
    lease_left_ms === null
      ? "no lease"
      : left <= 0
        ? `lease over for ${Duration.format(-left)}`
        : `lease for ${Duration.format(left)} more`;
  return `quiet for ${lasting(quiet_ms)}, ${lease}`;
};

/** A column with what it says of a trace. */
interface ListedColumn extends Table.Column {
  readonly of: (trace: ListedTrace) => Table.Cell;
}

type ListedTrace = TracePage["traces"][number];

/** What has ended otherwise than completed, or not at all. */
const UNWELL: ReadonlyArray<string> = ["running", "failed", "aborted"];

/** The narrowest that a last step and a reason are cut to. */
const [STEP_CELLS_MIN, WHY_CELLS_MIN] = [16, 20];

/** What is shown of runs of which none completed, in place of when and how long. */
const unwellColumns: ReadonlyArray<ListedColumn> = [
  { heading: "age", align: "right", of: ({ age_ms }) => ({ text: lasting(age_ms) }) },
  {
    heading: "last step",
    shrinks_to: STEP_CELLS_MIN,
    of: (trace) => ({ text: lastStepOf(trace) }),
  },
  {
    heading: "why",
    shrinks_to: WHY_CELLS_MIN,
    wraps: true,
    of: (trace) => ({ text: whyOf(trace) }),
  },
];

const tookOf = ({ started_at, completed_at }: ListedTrace): string => {
  const from = Duration.epochMs(started_at);
  const to = completed_at === null ? null : Duration.epochMs(completed_at);
  return from === null || to === null ? "-" : Duration.format(to - from);
};

const markOf = ({ is_synthetic, synthetic_scenario_id }: ListedTrace): Table.Cell => ({
  text: is_synthetic ? printable(synthetic_scenario_id ?? "?") : "-",
});

/** A page of traces, newest first. Where none of them completed, it says why. */
export const renderPage = (
  screen: Screen,
  page: TracePage,
  proofs: ListedProofs.ListedProofs = null,
): string => {
  const time_cells = screen.live && screen.columns < COLUMNS_FOR_SECONDS ? 16 : 19;
  const isSearch = page.traces.some(({ matched }) => matched !== null);
  const isUnwell = page.traces.every(({ status }) => UNWELL.includes(status));
  const time: ReadonlyArray<ListedColumn> = [
    {
      heading: "started (UTC)",
      of: ({ started_at }) => ({ text: Duration.clock(started_at).slice(0, time_cells) }),
    },
    { heading: "took", align: "right", optional: true, of: (trace) => ({ text: tookOf(trace) }) },
    { heading: "steps", align: "right", of: ({ step_count }) => ({ text: String(step_count) }) },
    { heading: "capture", optional: true, of: ({ capture }) => ({ text: printable(capture) }) },
  ];
  const columns: ReadonlyArray<ListedColumn> = [
    { heading: "run_id", of: ({ run_id }) => ({ text: printable(run_id) }) },
    {
      heading: "status",
      of: ({ status }) => ({
        text: printable(status),
        paint: (text) => tone(screen, statusTone(status), text),
      }),
    },
    ...(isUnwell ? unwellColumns : time),
    {
      heading: "agent",
      shrinks_to: 8,
      optional: true,
      of: ({ agent_id }) => ({ text: printable(agent_id ?? "-") }),
    },
    ...ListedProofs.columns(proofs).map((column) => ({
      ...column,
      of: ({ run_id }: ListedTrace) =>
        ListedProofs.cells(screen, proofs, run_id)[0] ?? { text: "" },
    })),
    ...(page.traces.some(({ is_synthetic }) => is_synthetic)
      ? [{ heading: "synthetic", shrinks_to: 9, of: markOf }]
      : []),
    ...(isSearch
      ? [{ heading: "text in", of: ({ matched }: ListedTrace) => ({ text: matched ?? "-" }) }]
      : []),
  ];
  return Table.render(
    screen,
    columns,
    page.traces.map((trace) => columns.map(({ of }) => of(trace))),
  );
};

const isCapture = (value: unknown): value is keyof typeof CAPTURE_MEANING =>
  typeof value === "string" && Object.hasOwn(CAPTURE_MEANING, value);

const captureOf = ({ trace }: ShownTrace): string | null => {
  const capture = trace["capture"];
  return isCapture(capture)
    ? `${capture}: ${CAPTURE_MEANING[capture]}`
    : Acts.textOf(trace, "capture");
};

/** Nothing infers COMPLETE: a status that no seal may have is said to be none. */
const lifecycles: Readonly<Record<string, string>> = {
  completed: "COMPLETE",
  failed: "COMPLETE, and the run failed",
  aborted: "ABORTED",
};

const lifecycle = (run: ShownTrace): string => {
  if (run.seal === null) return "OPEN: no seal yet, so no proof either";
  const reason = Acts.textOf(run.seal, "reason");
  const state = lifecycles[run.status] ?? `UNKNOWN (${run.status})`;
  return `${state}${reason === null ? "" : `: ${reason}`}`;
};

/** What the seal's metadata says beside the reason, while it is there. */
const detail = ({ payloads: { metadata } }: ShownTrace): string | null => {
  if (metadata.state !== "present") return null;
  const { value } = metadata;
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? Acts.textOf(value as Acts.StoredRecord, "detail") : null;
};

/** What the run was for, which stands in the trace's attributes. */
const goalOf = ({ payloads: { attributes } }: ShownTrace): string | null => {
  if (attributes.state === "absent") return null;
  if (attributes.state !== "present") return `(${attributes.state})`;
  const { goal } = Object(attributes.value) as { readonly goal?: unknown };
  return goal === undefined ? null : typeof goal === "string" ? goal : JSON.stringify(goal);
};

/** Which run it replays. */
const replayOf = ({ trace }: ShownTrace): string | null => {
  const replay_of = Acts.textOf(trace, "replay_of");
  return replay_of === null ? null : `of ${replay_of}`;
};

const took = (run: ShownTrace): string => {
  const from = Duration.epochMs(Acts.textOf(run.trace, "started_at") ?? "");
  const to =
    run.seal === null ? null : Duration.epochMs(Acts.textOf(run.seal, "completed_at") ?? "");
  return from === null || to === null ? "" : `, took ${Duration.format(to - from)}`;
};

/** A stored run: who, when, how it ended, and its steps on a timeline. */
export const renderRun = (
  screen: Screen,
  run: ShownTrace,
  stored: ReadonlyArray<Acts.DrawnStep>,
  isShown: (act: Acts.Act) => boolean = () => true,
): string => {
  const started_at = Acts.textOf(run.trace, "started_at") ?? "?";
  const acts = Acts.actsOf(stored);
  const shown = acts.filter(isShown);
  const isOpen = run.seal === null;
  const retries = stored.filter(({ status }) => status === "retry").length;
  const count =
    acts.length === stored.length ? `${acts.length}` : `${acts.length} acts in ${stored.length}`;
  const steps = `${count}${retries === 0 ? "" : `, of which ${retries} retried`}`;
  const fields: ReadonlyArray<readonly [string, string | null, Tone?]> = [
    ["run", Acts.textOf(run.trace, "run_id"), "strong"],
    ["trace", Acts.textOf(run.trace, "trace_id")],
    ["tenant", Acts.textOf(run.trace, "tenant_id")],
    ["agent", Acts.textOf(run.trace, "agent_id")],
    ["replay", replayOf(run)],
    ["goal", goalOf(run)],
    [
      "drill",
      run.trace["is_synthetic"] === true
        ? `synthetic, of ${Acts.textOf(run.trace, "synthetic_scenario_id") ?? "no scenario"}: counted in no total`
        : null,
      "caution",
    ],
    ["started", `${Duration.clock(started_at)} UTC${took(run)}`],
    ["steps", steps],
    ["shown", shown.length === acts.length ? null : `${shown.length} of ${acts.length}`, "caution"],
    ["capture", captureOf(run)],
    ["seal", lifecycle(run)],
    ["checked", "nothing: this is what is stored, and `runproof proof` checks it", "caution"],
    ["detail", detail(run)],
    ["root", run.root_hash],
  ];
  const head = fields.flatMap(([label, value, name]) => {
    if (value === null) return [];
    const text = wrap(printable(value), screen.columns, `${label.padEnd(7)}  `);
    return [name === undefined ? text : text.slice(0, 9) + tone(screen, name, text.slice(9))];
  });
  const drawn = shown.map((each, position) => Acts.timelineStep(each, position, isOpen));
  return drawn.length === 0
    ? head.join("\n")
    : [...head, "", Timeline.render(screen, started_at, drawn)].join("\n");
};

/** An open run is called stuck once it has recorded nothing for this long: most calls time out sooner. */
const STUCK_AFTER_MS = 300_000;

const list = Command.make(
  "list",
  {
    tenant_id: Options.tenantId,
    status: Options.optional(
      Flag.Literals("status", ["running", "completed", "failed", "aborted"]).pipe(
        Flag.withDescription("Only runs with this status"),
      ),
    ),
    agent_id: Options.id("agent-id", "A", "Only runs of this agent"),
    run_id: Options.id("run-id", "R", "Only this run"),
    started_from: Options.since("Only runs that began at or after this time"),
    started_before: Options.time("before", "Only runs that began before this time"),
    skill_id: Options.id("skill", "S", "Only runs with a step of this skill"),
    text: Options.optional(
      Flag.String("text").pipe(
        Flag.withDescription("Only runs whose payloads, names or reasons hold this text"),
      ),
    ),
    ...Options.marks,
    stuck: Options.toggle(
      "stuck",
      "Only open runs whose lease is over, or that recorded nothing for five minutes",
    ),
    limit: Options.optional(Flag.Int("limit").pipe(Flag.withDescription("Most runs to list"))),
    cursor: Options.optional(
      Flag.String("cursor").pipe(Flag.withDescription("Go on where the page before ended")),
    ),
    ...ListedProofs.flags,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, prove, vkeys, stuck, ...filter }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { TraceCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/logs/TraceCoordinator"),
    );
    const stuck_after_ms = stuck ? STUCK_AFTER_MS : undefined;
    const { page, proofs } = yield* withStored(
      { databaseUrl, home },
      Effect.gen(function* () {
        const page = yield* (yield* TraceCoordinator).list({ ...filter, stuck_after_ms });
        const run_ids = page.traces.map(({ run_id }) => run_id);
        const { tenant_id } = filter;
        return {
          page,
          proofs: yield* ListedProofs.proveListed({ prove, vkeys, tenant_id, run_ids }),
        };
      }),
    );
    if (json)
      yield* printJson(proofs === null ? page : { ...page, proofs: Object.fromEntries(proofs) });
    else if (page.traces.length === 0) yield* output.note("no runs match");
    else {
      yield* output.data(renderPage(output.stdout, page, proofs));
      if (page.next_cursor !== null) yield* output.note(`more: --cursor ${page.next_cursor}`);
    }
    yield* ListedProofs.conclude(proofs);
  }),
).pipe(
  Command.withDescription("List runs, newest first"),
  Command.withExamples([
    { command: "runproof traces list --tenant-id demo --status failed --from 2026-02-01" },
    { command: "runproof traces list --tenant-id demo --text refund --limit 20" },
    { command: "runproof traces list --tenant-id demo --stuck", description: "What is stuck?" },
  ]),
);

const show = Command.make(
  "show",
  {
    run_id: Options.runId,
    tenant_id: Options.tenantId,
    step: Options.optional(
      Flag.Int("step").pipe(
        Flag.withMetavar("N"),
        Flag.withDescription("Only step N, with its record and payloads, whole"),
        Flag.withSchema(Count),
      ),
    ),
    failed: Options.toggle("failed", "Only what failed, or has no outcome"),
    payload: Options.toggle("payload", "What each step was given and answered, whole"),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, step, failed, payload, ...input }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { TraceCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/logs/TraceCoordinator"),
    );
    const look = (onSteps: (steps: ReadonlyArray<ShownStep>) => Effect.Effect<void>) =>
      withStored(
        { databaseUrl, home },
        TraceCoordinator.use((coordinator) => coordinator.look(input, onSteps)),
      );
    if (json && step === undefined && !failed) {
      const document = yield* jsonInParts(["steps"]);
      return yield* document.end(yield* look((steps) => document.add("steps", steps)));
    }
    const isShown = (act: Acts.Act) =>
      (step === undefined || Acts.holds(act, step)) && (!failed || Acts.isFailed(act));
    // Payloads may be large: they are kept only where they are to be shown.
    if (!json && step === undefined && !payload) {
      const drawn: Array<Acts.DrawnStep> = [];
      const trace = yield* look((steps) =>
        Effect.sync(() => drawn.push(...steps.map(Acts.drawnStep))),
      );
      return yield* output.data(renderRun(output.stdout, trace, drawn, isShown));
    }
    const whole: Array<Acts.WholeStep> = [];
    const trace = yield* look((steps) =>
      Effect.sync(() =>
        whole.push(...steps.map((stored) => ({ ...Acts.drawnStep(stored), stored }))),
      ),
    );
    const acts = Acts.actsOf(whole).filter(isShown);
    if (step !== undefined && !acts.some((act) => Acts.holds(act, step))) {
      return yield* new InvalidInput({
        what: `the run has no step ${step}${failed ? " that failed" : ""} among its ${counted(whole.length, "step")}`,
        where: "--step",
        remedy: "Look at the run without --step.",
      });
    }
    if (json) {
      const steps = acts.flatMap(({ first, last }) =>
        last === null || last === first ? [first.stored] : [first.stored, last.stored],
      );
      return yield* printJson({ ...trace, steps });
    }
    const screen = output.stdout;
    const details = acts.flatMap((act) => [
      ...(step === undefined ? [] : [Acts.renderRecords(screen, act)]),
      Acts.renderPayloads(screen, act),
    ]);
    yield* output.data([renderRun(screen, trace, whole, isShown), ...details].join("\n\n"));
  }),
).pipe(
  Command.withDescription("Draw a run's steps as a timeline; --json adds the payloads"),
  Command.withExamples([
    { command: "runproof traces show RUN_ID --tenant-id demo" },
    { command: "runproof traces show RUN_ID --tenant-id demo --failed --payload" },
  ]),
);

export const command = Command.make("traces").pipe(
  Command.withDescription("List and show what is stored"),
  Command.withSubcommands([list, show]),
);

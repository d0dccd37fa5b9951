/** `runproof traces list|show`: what is stored. Showing is no verdict; `proof` is. */
import { CAPTURE_MEANING } from "@runproof/schemas/RunProofResult";
import type { TracePage } from "@runproof/spine-coordinators/logs/LogsBridge";
import type { ShownStep, ShownTrace } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as Call from "../Call.ts";
import * as Duration from "../Duration.ts";
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

/** A page of traces, newest first. */
export const renderPage = (screen: Screen, page: TracePage): string => {
  const time_cells = screen.live && screen.columns < COLUMNS_FOR_SECONDS ? 16 : 19;
  const isSearch = page.traces.some(({ matched }) => matched !== null);
  return Table.render(
    screen,
    [
      { heading: "run_id" },
      { heading: "status" },
      { heading: "started (UTC)" },
      { heading: "took", align: "right", optional: true },
      { heading: "steps", align: "right" },
      { heading: "capture", optional: true },
      { heading: "agent", shrinks_to: 8, optional: true },
      ...(isSearch ? [{ heading: "text in" }] : []),
    ],
    page.traces.map((trace) => {
      const from = Duration.epochMs(trace.started_at);
      const to = trace.completed_at === null ? null : Duration.epochMs(trace.completed_at);
      return [
        { text: printable(trace.run_id) },
        {
          text: printable(trace.status),
          paint: (text) => tone(screen, statusTone(trace.status), text),
        },
        { text: Duration.clock(trace.started_at).slice(0, time_cells) },
        { text: from === null || to === null ? "-" : Duration.format(to - from) },
        { text: String(trace.step_count) },
        { text: printable(trace.capture) },
        { text: printable(trace.agent_id ?? "-") },
        ...(isSearch ? [{ text: trace.matched ?? "-" }] : []),
      ];
    }),
  );
};

type StoredRecord = ShownTrace["trace"];

/** A field of a stored record as text. One that is not the text it should be is shown as it is stored. */
const textOf = (record: StoredRecord, key: string): string | null => {
  const value = record[key] ?? null;
  return value === null || typeof value === "string" ? value : JSON.stringify(value);
};

const numberOf = (record: StoredRecord, key: string): number | null => {
  const value = record[key];
  return typeof value === "number" ? value : null;
};

/** What is drawn of a step: its payloads may be large, and are not kept. */
export interface DrawnStep extends Omit<Timeline.TimelineStep, "step_index" | "label"> {
  readonly step_index: number | null;
  readonly intent_index: number | null;
}

/** Takes of a stored step what is drawn of it. */
export const drawnStep = ({ record, payloads: { params } }: ShownStep): DrawnStep => ({
  step_index: numberOf(record, "step_index"),
  intent_index: numberOf(record, "intent_index"),
  parent_step_index: numberOf(record, "parent_step_index"),
  skill_name: textOf(record, "skill_name") ?? "?",
  call:
    params.state === "present"
      ? Call.describe(textOf(record, "skill_id") ?? "", params.value)
      : null,
  status: textOf(record, "status") ?? "?",
  outcome_code: textOf(record, "outcome_code"),
  started_at: textOf(record, "started_at"),
  duration_ms: numberOf(record, "duration_ms"),
  cost_cents: numberOf(record, "cost_cents"),
});

/** What is drawn in one line: a step, an intent with the outcome that answers it, or an intent that nothing answers. */
interface Act {
  /** What was to be done. */
  readonly first: DrawnStep;
  /** What came of it; the same step where there is no intent, null where nothing is recorded. */
  readonly last: DrawnStep | null;
}

const actsOf = (steps: ReadonlyArray<DrawnStep>): ReadonlyArray<Act> => {
  const intents = new Set(
    steps.flatMap(({ status, step_index }) => (status === "intended" ? [step_index] : [])),
  );
  const answers = new Map(steps.map((step) => [step.intent_index, step] as const));
  return steps.flatMap((step): ReadonlyArray<Act> => {
    if (step.status === "intended") {
      return [{ first: step, last: answers.get(step.step_index) ?? null }];
    }
    const intent = step.intent_index;
    // An answer is drawn with its intent, if that is there.
    return intent !== null && intents.has(intent) && answers.get(intent) === step
      ? []
      : [{ first: step, last: step }];
  });
};

/** What the timeline draws of an act. An intent without an outcome says what is not known of it. */
const timelineStep = (
  { first, last }: Act,
  position: number,
  isOpen: boolean,
): Timeline.TimelineStep => {
  const step_index = first.step_index ?? position;
  const answered = last?.step_index ?? null;
  const { outcome_code, started_at, duration_ms, cost_cents } = last ?? first;
  return {
    step_index,
    label:
      answered === null || answered === step_index ? `${step_index}` : `${step_index}-${answered}`,
    parent_step_index: first.parent_step_index,
    skill_name: first.skill_name,
    call: first.call,
    status: last?.status ?? (isOpen ? "under way" : "outcome unknown"),
    outcome_code,
    started_at,
    duration_ms,
    cost_cents,
  };
};

const isCapture = (value: unknown): value is keyof typeof CAPTURE_MEANING =>
  typeof value === "string" && Object.hasOwn(CAPTURE_MEANING, value);

const captureOf = ({ trace }: ShownTrace): string | null => {
  const capture = trace["capture"];
  return isCapture(capture) ? `${capture}: ${CAPTURE_MEANING[capture]}` : textOf(trace, "capture");
};

/** Nothing infers COMPLETE: a status that no seal may have is said to be none. */
const lifecycles: Readonly<Record<string, string>> = {
  completed: "COMPLETE",
  failed: "COMPLETE, and the run failed",
  aborted: "ABORTED",
};

const lifecycle = (run: ShownTrace): string => {
  if (run.seal === null) return "OPEN: no seal yet, so no proof either";
  const reason = textOf(run.seal, "reason");
  const state = lifecycles[run.status] ?? `UNKNOWN (${run.status})`;
  return `${state}${reason === null ? "" : `: ${reason}`}`;
};

/** What the seal's metadata says beside the reason, while it is there. */
const detail = ({ payloads: { metadata } }: ShownTrace): string | null => {
  if (metadata.state !== "present") return null;
  const { value } = metadata;
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? textOf(value as StoredRecord, "detail") : null;
};

const took = (run: ShownTrace): string => {
  const from = Duration.epochMs(textOf(run.trace, "started_at") ?? "");
  const to = run.seal === null ? null : Duration.epochMs(textOf(run.seal, "completed_at") ?? "");
  return from === null || to === null ? "" : `, took ${Duration.format(to - from)}`;
};

/** A stored run: who, when, how it ended, and its steps on a timeline. */
export const renderRun = (
  screen: Screen,
  run: ShownTrace,
  stored: ReadonlyArray<DrawnStep>,
): string => {
  const started_at = textOf(run.trace, "started_at") ?? "?";
  const acts = actsOf(stored);
  const isOpen = run.seal === null;
  const retries = stored.filter(({ status }) => status === "retry").length;
  const count =
    acts.length === stored.length ? `${acts.length}` : `${acts.length} acts in ${stored.length}`;
  const steps = `${count}${retries === 0 ? "" : `, of which ${retries} retried`}`;
  const fields: ReadonlyArray<readonly [string, string | null, Tone?]> = [
    ["run", textOf(run.trace, "run_id"), "strong"],
    ["trace", textOf(run.trace, "trace_id")],
    ["tenant", textOf(run.trace, "tenant_id")],
    ["agent", textOf(run.trace, "agent_id")],
    ["started", `${Duration.clock(started_at)} UTC${took(run)}`],
    ["steps", steps],
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
  const drawn = acts.map((each, position) => timelineStep(each, position, isOpen));
  return [...head, "", Timeline.render(screen, started_at, drawn)].join("\n");
};

const DATE_ONLY = /^\d{4}-\d{2}-\d{2}$/u;

/** A time as a flag. A date alone is its first moment in UTC. */
const time = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("TIME"),
    Flag.withDescription(`${description}: RFC 3339, or a date`),
    Flag.map((text) => (DATE_ONLY.test(text) ? `${text}T00:00:00Z` : text)),
    Options.optional,
  );

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
    started_from: time("from", "Only runs that began at or after this time"),
    started_before: time("before", "Only runs that began before this time"),
    skill_id: Options.id("skill", "S", "Only runs with a step of this skill"),
    text: Options.optional(
      Flag.String("text").pipe(
        Flag.withDescription("Only runs whose payloads, names or reasons hold this text"),
      ),
    ),
    limit: Options.optional(Flag.Int("limit").pipe(Flag.withDescription("Most runs to list"))),
    cursor: Options.optional(
      Flag.String("cursor").pipe(Flag.withDescription("Go on where the page before ended")),
    ),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, ...filter }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { TraceCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/logs/TraceCoordinator"),
    );
    const page = yield* withStored(
      { databaseUrl, home },
      Effect.flatMap(TraceCoordinator, (coordinator) => coordinator.list(filter)),
    );
    if (json) return yield* printJson(page);
    if (page.traces.length === 0) return yield* output.note("no runs match");
    yield* output.data(renderPage(output.stdout, page));
    if (page.next_cursor !== null) yield* output.note(`more: --cursor ${page.next_cursor}`);
  }),
).pipe(
  Command.withDescription("List runs, newest first"),
  Command.withExamples([
    { command: "runproof traces list --tenant-id demo --status failed --from 2026-02-01" },
    { command: "runproof traces list --tenant-id demo --text refund --limit 20" },
  ]),
);

const show = Command.make(
  "show",
  { run_id: Options.runId, tenant_id: Options.tenantId, ...Options.database },
  Effect.fnUntraced(function* ({ databaseUrl, home, ...input }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { TraceCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/logs/TraceCoordinator"),
    );
    if (json) {
      const document = yield* jsonInParts(["steps"]);
      const trace = yield* withStored(
        { databaseUrl, home },
        TraceCoordinator.use(({ look }) => look(input, (steps) => document.add("steps", steps))),
      );
      return yield* document.end(trace);
    }
    const drawn: Array<DrawnStep> = [];
    const trace = yield* withStored(
      { databaseUrl, home },
      TraceCoordinator.use(({ look }) =>
        look(input, (steps) => Effect.sync(() => drawn.push(...steps.map(drawnStep)))),
      ),
    );
    yield* output.data(renderRun(output.stdout, trace, drawn));
  }),
).pipe(
  Command.withDescription("Draw a run's steps as a timeline; --json adds the payloads"),
  Command.withExamples([{ command: "runproof traces show RUN_ID --tenant-id demo" }]),
);

export const command = Command.make("traces").pipe(
  Command.withDescription("List and show what is stored"),
  Command.withSubcommands([list, show]),
);

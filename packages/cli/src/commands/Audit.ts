/** `runproof audit`: everything that a database holds, checked from the rows. */
import type { AuditReport } from "@runproof/schemas/AuditReport";
import { InvalidInput, SchemaDamaged, type SchemaMismatch } from "@runproof/schemas/RunProofError";
import type {
  AuditOptions,
  AuditOutcome,
  AuditProgress,
} from "@runproof/spine-coordinators/audit/AuditCoordinator";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Schedule from "effect/Schedule";
import * as AuditFindings from "../AuditFindings.ts";
import * as CheckpointFile from "../CheckpointFile.ts";
import { counted, number } from "../Count.ts";
import * as Duration from "../Duration.ts";
import * as ExitCode from "../ExitCode.ts";
import * as File from "../File.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, type Location } from "../Runproof.ts";
import { printable, type Screen, tone, wrap } from "../Screen.ts";

const traceLine = ({ traces, levels }: AuditReport): string =>
  [
    `${number(traces.verified)} verified (${number(levels.SIGNED)} SIGNED, ${number(levels.SELF)} SELF)`,
    `${number(traces.open)} open`,
    ...(traces.open_past_lease === 0
      ? []
      : [`${number(traces.open_past_lease)} open past their lease`]),
    ...(traces.empty === 0 ? [] : [`${number(traces.empty)} without steps`]),
    `${number(traces.failed)} failed`,
  ].join(", ");

const logLine = ({ tree, checked }: AuditReport): string =>
  [
    `${counted(tree.size, "entry", "entries")}, root ${tree.root_hash ?? "unknown: entries are missing or unreadable"}`,
    ...(checked.entries_pending === 0
      ? []
      : [`${number(checked.entries_pending)} wait for their index`]),
  ].join(", ");

const checkpointLine = ({
  source,
  tree_size,
  signature,
  holds,
}: AuditReport["checkpoints"][number]): string =>
  `${printable(source)}: ${counted(tree_size, "entry", "entries")}, signature ${signature}, ${holds ? "the log extends it" : "the log does not extend it"}`;

const LABEL_CELLS = 12;

const field = (screen: Screen, label: string, value: string): string =>
  wrap(value, screen.columns, `  ${label.padEnd(LABEL_CELLS)}`);

/** What was checked, and what it came to. */
export const renderReport = (screen: Screen, report: AuditReport): string => {
  const { checked, findings, findings_omitted, verdict } = report;
  const isClean = verdict !== "FINDINGS";
  const took_ms =
    (Duration.epochMs(report.finished_at) ?? 0) - (Duration.epochMs(report.started_at) ?? 0);
  const total = findings.length + findings_omitted;
  const title = {
    CLEAN: "CLEAN",
    EMPTY: "NOTHING TO AUDIT",
    FINDINGS: counted(total, "FINDING", "FINDINGS"),
  }[verdict];
  const titleTone = { CLEAN: "good", EMPTY: "caution", FINDINGS: "bad" } as const;
  const scope = report.since === null ? "" : "what is new: ";
  const what = `${scope}${counted(checked.traces, "trace")}, ${counted(checked.steps, "step")} and ${counted(checked.entries, "log entry", "log entries")} in ${Duration.format(took_ms)}`;
  return [
    ...(findings.length === 0 ? [] : [AuditFindings.render(screen, findings), ""]),
    ...(findings_omitted === 0
      ? []
      : [`${counted(findings_omitted, "more finding is", "more findings are")} not listed`]),
    `${tone(screen, titleTone[verdict], tone(screen, "strong", title))}  ${what}`,
    ...(verdict === "EMPTY"
      ? [field(screen, "meaning", "no run is here: is this the database that you mean?")]
      : []),
    ...(isClean ? [] : [field(screen, "by code", AuditFindings.totals(report))]),
    field(screen, "database", printable(report.database)),
    field(screen, "finished", `${Duration.clock(report.finished_at)} UTC`),
    field(screen, "traces", traceLine(report)),
    ...(report.outcomes_unknown === 0
      ? []
      : [
          field(
            screen,
            "unknown",
            `${counted(report.outcomes_unknown, "act")} of ABORTED runs without an outcome`,
          ),
        ]),
    ...(report.payloads_erased === 0
      ? []
      : [field(screen, "erased", counted(report.payloads_erased, "payload"))]),
    ...(report.deletions_recorded === 0
      ? []
      : [field(screen, "deleted", `${counted(report.deletions_recorded, "run")}, as recorded`)]),
    field(screen, "log", logLine(report)),
    ...report.checkpoints.map((checkpoint) =>
      field(screen, "checkpoint", checkpointLine(checkpoint)),
    ),
    ...report.notes.map((note) => field(screen, "note", printable(note))),
    ...(isClean
      ? []
      : AuditFindings.nextSteps(report).map((step) => field(screen, "next", printable(step)))),
  ].join("\n");
};

const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A duration such as `90s`, `15m`, `1h` or `1d` in milliseconds; null for anything else. */
export const parseEvery = (text: string): number | null => {
  const parts = /^(?<count>[1-9]\d{0,5})(?<unit>[smhd])$/u.exec(text)?.groups;
  if (parts === undefined) return null;
  return Number(parts["count"]) * UNITS_MS[parts["unit"] as keyof typeof UNITS_MS];
};

/** What the flags ask for. */
interface Asked {
  readonly checkpoints: ReadonlyArray<string>;
  readonly verifier_keys: ReadonlyArray<string>;
  readonly known_claims: ReadonlyArray<number>;
  readonly since: string | undefined;
  readonly save: string | undefined;
  readonly workers: number | undefined;
  readonly location: Location;
}

/** How often to audit, and whether to end at the first findings. */
interface Repeated {
  readonly every_ms: number;
  readonly until_finding: boolean;
}

const readNote = (source: string) => Effect.map(File.read(source), (note) => ({ source, note }));

const readOptions = Effect.fnUntraced(function* (asked: Asked) {
  const since = asked.since === undefined ? undefined : yield* readNote(asked.since);
  const checkpoints = yield* Effect.forEach(asked.checkpoints, readNote);
  return {
    // The one to go on from is compared too, and need not be reported twice.
    checkpoints: checkpoints.filter(({ note }) => note !== since?.note),
    verifier_keys: asked.verifier_keys,
    known_claims: asked.known_claims,
    since,
    workers: asked.workers,
  } satisfies AuditOptions;
});

const rowsOf = ({ traces, steps, entries }: Pick<AuditProgress, "traces" | "steps" | "entries">) =>
  traces + steps + entries;

/** An empty database is one that is not set up yet, unless a checkpoint says that a log was there. */
const orEvidenceGone = Effect.fnUntraced(function* (
  error: SchemaMismatch,
  { checkpoints = [], since }: AuditOptions,
) {
  if (error.is_empty !== true) return yield* error;
  for (const { source, note } of [...checkpoints, ...(since === undefined ? [] : [since])]) {
    const checkpoint = yield* CheckpointFile.parse(note);
    if (checkpoint === null || checkpoint.tree_size === 0) continue;
    return yield* new SchemaDamaged({
      what: `the database has nothing of the schema, and ${printable(source)} covers ${counted(checkpoint.tree_size, "entry", "entries")} of ${checkpoint.origin}: the evidence is gone, or this is another database`,
    });
  }
  return yield* error;
});

/** One audit from opening the database to closing it. */
const auditOnce = Effect.fnUntraced(function* (asked: Asked) {
  const options = yield* readOptions(asked);
  const { fromEnvironment } = yield* load(
    () => import("@runproof/spine-coordinators/audit/AuditLayer"),
  );
  const { AuditCoordinator } = yield* load(
    () => import("@runproof/spine-coordinators/audit/AuditCoordinator"),
  );
  const context = yield* Progress.during("opening the database", null, () =>
    Layer.build(fromEnvironment(asked.location)),
  ).pipe(Effect.catchTag("SchemaMismatch", (error) => orEvidenceGone(error, options)));
  const audit = Effect.flatMap(AuditCoordinator, (coordinator) =>
    Progress.during("auditing", null, (report) =>
      coordinator.audit({
        ...options,
        onProgress: (progress) =>
          report({
            done: rowsOf(progress),
            total: progress.total === null ? null : rowsOf(progress.total),
            detail: `${number(Math.round(progress.rate_per_s))} rows/s`,
          }),
      }),
    ),
  );
  return yield* Effect.provideContext(audit, context);
}, Effect.scoped);

const saveCheckpoint = Effect.fnUntraced(function* (
  path: string | undefined,
  { report, resume_from }: AuditOutcome,
) {
  if (path === undefined) return;
  const output = yield* Output;
  if (report.verdict === "FINDINGS") {
    return yield* output.note(`${path} was not written: there are findings`);
  }
  if (resume_from === null) {
    return yield* output.note(
      `${path} was not written: no checkpoint covers the log; sign it with \`runproof checkpoint\``,
    );
  }
  yield* CheckpointFile.write(path, resume_from);
  yield* output.note(`${path}: what it covers was audited; go on with --since-checkpoint`);
});

const show = Effect.fnUntraced(function* (report: AuditReport) {
  const { json } = yield* root;
  const output = yield* Output;
  if (json) yield* printJson(report);
  else yield* output.data(renderReport(output.stdout, report));
});

const pass = Effect.fnUntraced(function* (asked: Asked) {
  const outcome = yield* auditOnce(asked);
  yield* show(outcome.report);
  yield* saveCheckpoint(asked.save, outcome);
  return outcome.report.verdict;
});

/** A pass after the first one. That its checkpoint can't be kept takes nothing from what it found. */
const laterPass = Effect.fnUntraced(function* (asked: Asked) {
  const { json } = yield* root;
  const output = yield* Output;
  if (!json) yield* output.data("");
  const outcome = yield* auditOnce(asked);
  yield* show(outcome.report);
  yield* Effect.catchTag(saveCheckpoint(asked.save, outcome), "FileFailed", (error) =>
    output.note(ExitCode.render(ExitCode.ofCause(Cause.fail(error), false), json)!),
  );
  return outcome.report.verdict;
});

/** Says that a pass could not be made: never that nothing was found. */
const sayUnchecked = Effect.fnUntraced(function* ({
  code,
  tag,
  message,
  remedy,
}: ExitCode.Failure) {
  const { json } = yield* root;
  const output = yield* Output;
  const at = new Date().toISOString();
  if (json) {
    return yield* printJson({
      verdict: "NOT_CHECKED",
      finished_at: at,
      error: { code, tag, message, remedy },
    });
  }
  const title = tone(output.stdout, "caution", tone(output.stdout, "strong", "NOT CHECKED"));
  yield* output.data(
    `${title}  ${Duration.clock(at)} UTC: ${printable(message ?? tag)}${remedy === null ? "" : `\n  try: ${printable(remedy)}`}`,
  );
});

const orUnchecked = Effect.catchCause((cause: Cause.Cause<unknown>) => {
  if (Cause.hasInterrupts(cause)) return Effect.failCause(cause);
  return Effect.as(sayUnchecked(ExitCode.ofCause(cause, false)), "NOT_CHECKED" as const);
});

/** Whether what was asked for can never be done: only at the first pass, for a file may be away later on. */
const isRefusal = (cause: Cause.Cause<unknown>): boolean =>
  ExitCode.ofCause(cause, false).code === 2;

/** Audits again and again; ends by a signal, at the first pass with findings where that is asked for, or at once for a wrong argument. */
const passes = Effect.fnUntraced(function* (asked: Asked, schedule: Repeated) {
  let isFirst = true;
  const next = Effect.suspend(() => {
    if (!isFirst) return orUnchecked(laterPass(asked));
    isFirst = false;
    return Effect.catchCause(pass(asked), (cause) =>
      isRefusal(cause) ? Effect.failCause(cause) : orUnchecked(Effect.failCause(cause)),
    );
  });
  yield* Effect.repeat(next, {
    schedule: Schedule.fixed(schedule.every_ms),
    until: (verdict) => schedule.until_finding && verdict === "FINDINGS",
  });
  return yield* new ExitCode.Concluded({ code: 6 });
});

const files = (name: string, description: string) =>
  Flag.Path(name).pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription(description),
    Options.repeatable,
  );

export const command = Command.make(
  "audit",
  {
    checkpoints: files(
      "checkpoint",
      "Checkpoint kept elsewhere that the log must extend; repeatable",
    ),
    known_claims: Flag.Int("known-claim").pipe(
      Flag.withMetavar("ENTRY"),
      Flag.withDescription(
        "Index of an entry that adds a key which no key signed, and that you looked into: a note, no finding; repeatable",
      ),
      Options.repeatable,
    ),
    verifier_keys: Flag.String("vkey").pipe(
      Flag.withMetavar("KEY"),
      Flag.withDescription("Verifier key that must have signed the checkpoints; repeatable"),
      Options.repeatable,
    ),
    since: Options.optional(
      Flag.Path("since-checkpoint").pipe(
        Flag.withMetavar("FILE"),
        Flag.withDescription("Check only what is new since this checkpoint, which was audited"),
      ),
    ),
    save: Options.optional(
      Flag.Path("save-checkpoint").pipe(
        Flag.withMetavar("FILE"),
        Flag.withDescription("After an audit without findings, write the checkpoint it reached"),
      ),
    ),
    every_ms: Options.optional(
      Flag.String("every").pipe(
        Flag.withMetavar("TIME"),
        Flag.withDescription("Audit again and again, such as every 15m, 1h or 1d"),
        Flag.mapTryCatch(
          (text) => {
            const every_ms = parseEvery(text);
            if (every_ms === null) throw new Error(`${JSON.stringify(text)} is no time`);
            return every_ms;
          },
          () => "expected a number and s, m, h or d, such as 15m",
        ),
      ),
    ),
    until_finding: Options.toggle(
      "until-finding",
      "With --every: end with 6 at the first pass with findings",
    ),
    allow_empty: Options.toggle(
      "allow-empty",
      "End with 0, and not 7, where there is no run and no log entry yet",
    ),
    workers: Options.optional(
      Flag.Int("workers").pipe(
        Flag.withDescription("Readers at a time [2]"),
        Flag.filter(
          (workers) => workers >= 1 && workers <= 32,
          () => "expected 1 to 32 workers",
        ),
      ),
    ),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({
    databaseUrl,
    home,
    every_ms,
    until_finding,
    allow_empty,
    ...flags
  }) {
    const asked: Asked = { ...flags, location: { databaseUrl, home } };
    if (asked.save !== undefined) yield* CheckpointFile.readKept(asked.save);
    if (every_ms !== undefined) return yield* passes(asked, { every_ms, until_finding });
    if (until_finding) {
      return yield* new InvalidInput({
        what: "it ends an audit that is repeated",
        where: "--until-finding",
        remedy: "Give --every too, such as --every 15m.",
      });
    }
    const verdict = yield* pass(asked);
    if (verdict === "FINDINGS") return yield* new ExitCode.Concluded({ code: 6 });
    // A cron job must notice that it looks at another database than it was meant to.
    if (verdict === "EMPTY" && !allow_empty) return yield* new ExitCode.Concluded({ code: 7 });
  }),
).pipe(
  Command.withDescription("Check everything in the database, its log and its defences"),
  Command.withExamples([
    { command: "runproof audit" },
    {
      command: "runproof audit --checkpoint kept-elsewhere.txt --vkey example.com/log+…",
      description: "Compare with a checkpoint that the database's owner can't change",
    },
    {
      command: "runproof audit --since-checkpoint last.txt --save-checkpoint last.txt",
      description: "Check what is new since the last audit without findings",
    },
    { command: "runproof audit --every 1h --json >> audits.ndjson" },
    {
      command: "runproof audit --every 15m --until-finding || alarm",
      description: "Until something is found",
    },
  ]),
);

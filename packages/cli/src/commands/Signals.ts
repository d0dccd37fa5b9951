/** `runproof signals`: who has seen that a run needs attention, until when it is quiet, who was called. */
import type { SignalFeedback } from "@runproof/spine-coordinators/signals/SignalFeedbackCoordinator";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import { root } from "../Root.ts";
import { load, withStored } from "../Runproof.ts";
import { printable } from "../Screen.ts";

const coordinator = load(
  () => import("@runproof/spine-coordinators/signals/SignalFeedbackCoordinator"),
);

const said = {
  run_id: Options.runId,
  tenant_id: Options.tenantId,
  reason: Options.reason,
  actor: Options.actor,
  ...Options.database,
};

const done = Effect.fnUntraced(function* (run_id: string, what: string) {
  const { json } = yield* root;
  const output = yield* Output;
  if (json) yield* printJson({ run_id });
  else yield* output.data(`run ${printable(run_id)} is ${what}`);
});

const ack = Command.make(
  "ack",
  said,
  Effect.fnUntraced(function* ({ databaseUrl, home, run_id, tenant_id, ...who }) {
    const { SignalFeedbackCoordinator } = yield* coordinator;
    yield* withStored(
      { databaseUrl, home },
      SignalFeedbackCoordinator.use((signals) => signals.acknowledge({ run_id, tenant_id }, who)),
    );
    yield* done(run_id, "acknowledged");
  }),
).pipe(
  Command.withDescription("Say that somebody has seen it"),
  Command.withExamples([
    { command: 'runproof signals ack r1 --tenant-id my-team --reason "looking into it"' },
  ]),
);

const suppress = Command.make(
  "suppress",
  {
    ...said,
    until: Flag.String("until").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription("Until when, RFC 3339"),
    ),
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, run_id, tenant_id, ...who }) {
    const { SignalFeedbackCoordinator } = yield* coordinator;
    yield* withStored(
      { databaseUrl, home },
      SignalFeedbackCoordinator.use((signals) => signals.suppress({ run_id, tenant_id }, who)),
    );
    yield* done(run_id, `suppressed until ${who.until}`);
  }),
).pipe(
  Command.withDescription("Keep it quiet until a time"),
  Command.withExamples([
    {
      command:
        'runproof signals suppress r1 --tenant-id my-team --until 2030-01-31T09:00:00Z --reason "known"',
    },
  ]),
);

const escalate = Command.make(
  "escalate",
  {
    ...said,
    to: Flag.String("to").pipe(Flag.withMetavar("NAME"), Flag.withDescription("Who was called")),
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, run_id, tenant_id, ...who }) {
    const { SignalFeedbackCoordinator } = yield* coordinator;
    yield* withStored(
      { databaseUrl, home },
      SignalFeedbackCoordinator.use((signals) => signals.escalate({ run_id, tenant_id }, who)),
    );
    yield* done(run_id, `escalated to ${printable(who.to)}`);
  }),
).pipe(
  Command.withDescription("Say who was called"),
  Command.withExamples([
    {
      command:
        'runproof signals escalate r1 --tenant-id my-team --to on-call --reason "money moved"',
    },
  ]),
);

/** What was said, a line each. */
export const render = (feedback: SignalFeedback | null): string => {
  if (feedback === null) return "nobody has said anything of it";
  const { acknowledged, suppressed, escalated } = feedback;
  const by = ({ actor, at, reason }: { actor: string; at: string; reason: string }) =>
    `by ${printable(actor)} at ${at}: ${printable(reason)}`;
  return [
    `acknowledged  ${acknowledged === null ? "no" : by(acknowledged)}`,
    `suppressed    ${suppressed === null ? "no" : `until ${suppressed.until} ${by(suppressed)}`}`,
    `escalated     ${escalated === null ? "no" : `to ${printable(escalated.to)} ${by(escalated)}`}`,
  ].join("\n");
};

const show = Command.make(
  "show",
  { run_id: Options.runId, tenant_id: Options.tenantId, ...Options.database },
  Effect.fnUntraced(function* ({ databaseUrl, home, ...run }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { SignalFeedbackCoordinator } = yield* coordinator;
    const feedback = yield* withStored(
      { databaseUrl, home },
      SignalFeedbackCoordinator.use((signals) => signals.get(run)),
    );
    if (json) yield* printJson(feedback);
    else yield* output.data(render(feedback));
  }),
).pipe(
  Command.withDescription("Show what was said of a run"),
  Command.withExamples([{ command: "runproof signals show r1 --tenant-id my-team" }]),
);

export const command = Command.make("signals").pipe(
  Command.withDescription("Acknowledge, suppress or escalate runs that need attention"),
  Command.withSubcommands([show, ack, suppress, escalate]),
);

/** `runproof retention`: how long a tenant's evidence is kept. */
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Confirmation from "../Confirmation.ts";
import { counted } from "../Count.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withOperated } from "../Runproof.ts";
import { printable } from "../Screen.ts";
import * as Table from "../Table.ts";

const coordinator = load(
  () => import("@runproof/spine-coordinators/controls/RetentionCoordinator"),
);

const kept = (keep_days: number | null): string =>
  keep_days === null ? "for ever" : counted(keep_days, "day");

const set = Command.make(
  "set",
  {
    tenant_id: Options.tenantId,
    days: Options.optional(Options.days("days", "Days after its seal that a run is kept")),
    forever: Options.toggle("forever", "Keep them for ever, as without a retention"),
    below_floor: Options.toggle("below-floor", "Allow less than 183 days"),
    reason: Options.reason,
    actor: Options.actor,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, days, forever, tenant_id, ...order }) {
    const { json } = yield* root;
    const output = yield* Output;
    if ((days === undefined) !== forever) {
      return yield* new InvalidInput({
        what: "one of --days and --forever is needed, and not both",
        where: "retention set",
        remedy: "Give the days with --days 400d.",
      });
    }
    const keep_days = days ?? null;
    const { RetentionCoordinator } = yield* coordinator;
    yield* withOperated(
      { databaseUrl, home },
      RetentionCoordinator.use((retention) =>
        retention.setRetention({ tenant_id, keep_days, ...order }),
      ),
    );
    if (json) return yield* printJson({ tenant_id, keep_days });
    yield* output.data(`the runs of tenant ${printable(tenant_id)} are kept ${kept(keep_days)}`);
  }),
).pipe(
  Command.withDescription("Set how long a tenant's runs are kept"),
  Command.withExamples([
    { command: 'runproof retention set --tenant-id my-team --days 400d --reason "policy 7"' },
  ]),
);

const list = Command.make(
  "list",
  Options.database,
  Effect.fnUntraced(function* (location) {
    const { json } = yield* root;
    const output = yield* Output;
    const { RetentionCoordinator } = yield* coordinator;
    const retentions = yield* withOperated(
      location,
      RetentionCoordinator.use((retention) => retention.listRetentions()),
    );
    if (json) return yield* printJson({ retentions });
    if (retentions.length === 0)
      return yield* output.note("no retention is set: all runs are kept for ever");
    yield* output.data(
      Table.render(
        output.stdout,
        [
          { heading: "tenant" },
          { heading: "kept" },
          { heading: "set at" },
          { heading: "by" },
          { heading: "reason", shrinks_to: 12 },
        ],
        retentions.map(({ tenant_id, keep_days, set_at, actor, reason }) => [
          { text: printable(tenant_id) },
          { text: kept(keep_days) },
          { text: set_at },
          { text: printable(actor) },
          { text: printable(reason) },
        ]),
      ),
    );
  }),
).pipe(
  Command.withDescription("List how long each tenant's runs are kept"),
  Command.withExamples([{ command: "runproof retention list --json" }]),
);

const run = Command.make(
  "run",
  {
    reason: Flag.withDefault(Options.reason, "retention"),
    actor: Options.actor,
    yes: Confirmation.yes,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, yes, ...order }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { RetentionCoordinator } = yield* coordinator;
    yield* Confirmation.confirm("Delete the archived runs whose time is over?", yes);
    const outcomes = yield* withOperated(
      { databaseUrl, home },
      RetentionCoordinator.use((retention) =>
        Progress.during("deleting", null, (report) =>
          retention.deleteExpired(order, ({ traces }) =>
            report({ detail: counted(traces, "run") }),
          ),
        ),
      ),
    );
    if (json) return yield* printJson({ outcomes });
    for (const { tenant_id, keep_days, deleted } of outcomes)
      yield* output.data(
        `deleted ${counted(deleted, "archived run")} of tenant ${printable(tenant_id)}, kept ${kept(keep_days)}`,
      );
    if (outcomes.length === 0) yield* output.note("no retention is set: nothing is deleted");
  }),
).pipe(
  Command.withDescription("Delete archived runs whose time is over; the log keeps that they were"),
  Command.withExamples([{ command: "runproof retention run --yes" }]),
);

export const command = Command.make("retention").pipe(
  Command.withDescription("Say how long runs are kept, and delete what is past its time"),
  Command.withSubcommands([set, list, run]),
);

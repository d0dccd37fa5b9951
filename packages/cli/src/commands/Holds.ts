/** `runproof holds`: keeps evidence as it is, whatever a retention or a request for erasure says. */
import * as Argument from "effect/cli/Argument";
import * as Command from "effect/cli/Command";
import * as Effect from "effect/Effect";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import { root } from "../Root.ts";
import { load, withOperated } from "../Runproof.ts";
import { printable, tone } from "../Screen.ts";
import * as Table from "../Table.ts";

const coordinator = load(
  () => import("@runproof/spine-coordinators/controls/RetentionCoordinator"),
);

const set = Command.make(
  "set",
  {
    tenant_id: Options.tenantId,
    run_id: Options.id("run-id", "R", "Only this run [all of the tenant's]"),
    reason: Options.reason,
    actor: Options.actor,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, run_id, ...order }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { RetentionCoordinator } = yield* coordinator;
    const hold_id = yield* withOperated(
      { databaseUrl, home },
      RetentionCoordinator.use((retention) =>
        retention.setHold({ run_id: run_id ?? null, ...order }),
      ),
    );
    if (json) return yield* printJson({ hold_id });
    yield* output.data(`hold ${hold_id} is in force`);
  }),
).pipe(
  Command.withDescription("Hold a run, or all of a tenant's: nothing of them goes"),
  Command.withExamples([
    { command: 'runproof holds set --tenant-id my-team --run-id r1 --reason "case 12"' },
  ]),
);

const lift = Command.make(
  "lift",
  {
    hold_id: Argument.Int("HOLD").pipe(Argument.withDescription("Hold, as `holds list` shows it")),
    tenant_id: Options.tenantId,
    reason: Options.reason,
    actor: Options.actor,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, ...hold }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { RetentionCoordinator } = yield* coordinator;
    yield* withOperated(
      { databaseUrl, home },
      RetentionCoordinator.use((retention) => retention.liftHold(hold)),
    );
    if (json) return yield* printJson({ hold_id: hold.hold_id });
    yield* output.data(`hold ${hold.hold_id} is lifted`);
  }),
).pipe(
  Command.withDescription("Lift a hold"),
  Command.withExamples([
    { command: 'runproof holds lift 3 --tenant-id my-team --reason "case 12 is closed"' },
  ]),
);

const list = Command.make(
  "list",
  { tenant_id: Options.tenantId, ...Options.database },
  Effect.fnUntraced(function* ({ tenant_id, ...location }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { RetentionCoordinator } = yield* coordinator;
    const holds = yield* withOperated(
      location,
      RetentionCoordinator.use((retention) => retention.listHolds(tenant_id)),
    );
    if (json) return yield* printJson({ holds });
    if (holds.length === 0)
      return yield* output.note(`tenant ${printable(tenant_id)} never had a hold`);
    yield* output.data(
      Table.render(
        output.stdout,
        [
          { heading: "hold", align: "right" },
          { heading: "run" },
          { heading: "since" },
          { heading: "state" },
          { heading: "by" },
          { heading: "reason", shrinks_to: 12 },
        ],
        holds.map(({ hold_id, run_id, set_at, lifted_at, actor, reason }) => [
          { text: String(hold_id) },
          { text: run_id === null ? "(all)" : printable(run_id) },
          { text: set_at },
          {
            text: lifted_at === null ? "in force" : `lifted ${lifted_at}`,
            paint: (text) => tone(output.stdout, lifted_at === null ? "strong" : "quiet", text),
          },
          { text: printable(actor) },
          { text: printable(reason) },
        ]),
      ),
    );
  }),
).pipe(
  Command.withDescription("List a tenant's holds"),
  Command.withExamples([{ command: "runproof holds list --tenant-id my-team" }]),
);

export const command = Command.make("holds").pipe(
  Command.withDescription("Keep evidence from being archived, erased or deleted"),
  Command.withSubcommands([set, list, lift]),
);

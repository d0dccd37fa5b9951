/** `runproof erase`: erases what records say, and leaves the proof that they were. */
import type { PayloadName } from "@runproof/spine-coordinators/controls/ControlsBridge";
import type { ErasableField } from "@runproof/spine-coordinators/controls/ErasureCoordinator";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as Confirmation from "../Confirmation.ts";
import { counted } from "../Count.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import { root } from "../Root.ts";
import { load, withOperated } from "../Runproof.ts";
import { printable, type Screen } from "../Screen.ts";
import * as Table from "../Table.ts";

const FIELDS = [
  "params",
  "outcome_data",
  "plan",
  "goal",
  "metadata",
  "attributes",
] as const satisfies ReadonlyArray<ErasableField>;

const renderPayloads = (screen: Screen, payloads: ReadonlyArray<PayloadName>): string =>
  Table.render(
    screen,
    [{ heading: "run" }, { heading: "payload" }],
    payloads.map(({ run_id, payload }) => [{ text: printable(run_id) }, { text: payload }]),
  );

export const command = Command.make(
  "erase",
  {
    tenant_id: Options.tenantId,
    run_id: Options.id("run-id", "R", "Run whose payloads go"),
    step_index: Flag.Int("step").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("Only this step's, counted from 0"),
      Options.optional,
    ),
    fields: Options.repeatable(
      Flag.Literals("field", FIELDS).pipe(Flag.withDescription("Only this one; repeatable [all]")),
    ),
    matching: Flag.String("matching").pipe(
      Flag.withMetavar("TEXT"),
      Flag.withDescription("Instead of a run: every payload of the tenant that holds this text"),
      Options.optional,
    ),
    reason: Options.reason,
    actor: Options.actor,
    yes: Confirmation.yes,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, yes, actor, reason, fields, ...scope }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { ErasureCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/controls/ErasureCoordinator"),
    );
    const erasures = yield* withOperated(
      { databaseUrl, home },
      Effect.gen(function* () {
        const coordinator = yield* ErasureCoordinator;
        const found = yield* coordinator.find({
          ...scope,
          ...(fields.length === 0 ? {} : { fields }),
        });
        if (!json) yield* output.note(renderPayloads(output.stderr, found));
        yield* Confirmation.confirm(
          `Erase ${counted(found.length, "payload")} for good? The proof stays, what they say is gone.`,
          yes,
        );
        return yield* coordinator.erase(scope.tenant_id, found, { actor, reason });
      }),
    );
    if (json) return yield* printJson({ erasures });
    for (const { run_id, payloads } of erasures)
      yield* output.data(
        `erased ${counted(payloads.length, "payload")} of run ${printable(run_id)}`,
      );
    yield* output.note(
      "the rows' old versions leave the server's files with the next VACUUM; backups and bundles made before hold them still",
    );
  }),
).pipe(
  Command.withDescription("Erase payloads of sealed runs for good; their proofs stay"),
  Command.withExamples([
    {
      command:
        'runproof erase --tenant-id my-team --run-id r1 --step 3 --field params --reason "request 4"',
    },
    {
      command: 'runproof erase --tenant-id my-team --matching ann@example.com --reason "request 4"',
    },
  ]),
);

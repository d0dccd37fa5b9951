/** `runproof limits`: how much a tenant's runs may use. */
import { InvalidInput } from "@runproof/schemas/RunProofError";
import type { LimitKind } from "@runproof/spine-coordinators/policies/PoliciesBridge";
import * as Argument from "effect/cli/Argument";
import * as Command from "effect/cli/Command";
import * as Effect from "effect/Effect";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import { root } from "../Root.ts";
import { load, withOperated, withStored } from "../Runproof.ts";
import { printable } from "../Screen.ts";
import * as Table from "../Table.ts";

const KINDS = [
  "steps_per_run",
  "cost_cents_per_run",
  "duration_ms_per_run",
  "retries_per_run",
  "runs_per_minute",
  "concurrent_runs",
] as const satisfies ReadonlyArray<LimitKind>;

const coordinator = load(() => import("@runproof/spine-coordinators/policies/PolicyCoordinator"));

const valueOf = (text: string) =>
  text === "none"
    ? Effect.succeed(null)
    : /^\d+(\.\d+)?$/u.test(text)
      ? Effect.succeed(Number(text))
      : Effect.fail(
          new InvalidInput({
            what: `${JSON.stringify(text)} is neither a number nor "none"`,
            where: "VALUE",
            remedy: "Give a number of 0 or more, or none to lift the limit.",
          }),
        );

const set = Command.make(
  "set",
  {
    kind: Argument.Literals("KIND", KINDS).pipe(Argument.withDescription("What is limited")),
    text: Argument.String("VALUE").pipe(
      Argument.withDescription("The most that is allowed, or none to lift the limit"),
    ),
    tenant_id: Options.tenantId,
    reason: Options.reason,
    actor: Options.actor,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, text, ...limit }) {
    const { json } = yield* root;
    const output = yield* Output;
    const value = yield* valueOf(text);
    const { PolicyCoordinator } = yield* coordinator;
    yield* withOperated(
      { databaseUrl, home },
      PolicyCoordinator.use((policies) => policies.setLimit({ ...limit, value })),
    );
    const { kind, tenant_id } = limit;
    if (json) return yield* printJson({ tenant_id, kind, value });
    yield* output.data(
      value === null
        ? `tenant ${printable(tenant_id)} has no limit ${kind} any more`
        : `${kind} of tenant ${printable(tenant_id)} is ${value}`,
    );
  }),
).pipe(
  Command.withDescription("Set or lift a limit, for runs that begin from now on"),
  Command.withExamples([
    { command: 'runproof limits set steps_per_run 200 --tenant-id my-team --reason "loops"' },
    { command: 'runproof limits set concurrent_runs none --tenant-id my-team --reason "lifted"' },
  ]),
);

const list = Command.make(
  "list",
  { tenant_id: Options.tenantId, ...Options.database },
  Effect.fnUntraced(function* ({ tenant_id, ...location }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { PolicyCoordinator } = yield* coordinator;
    const limits = yield* withStored(
      location,
      PolicyCoordinator.use((policies) => policies.limits(tenant_id)),
    );
    if (json) return yield* printJson({ limits });
    if (limits.length === 0)
      return yield* output.note(`tenant ${printable(tenant_id)} has no limits`);
    yield* output.data(
      Table.render(
        output.stdout,
        [{ heading: "limit" }, { heading: "value", align: "right" }],
        limits.map(({ kind, value }) => [{ text: kind }, { text: String(value) }]),
      ),
    );
  }),
).pipe(
  Command.withDescription("List a tenant's limits"),
  Command.withExamples([{ command: "runproof limits list --tenant-id my-team" }]),
);

export const command = Command.make("limits").pipe(
  Command.withDescription("Say how much a tenant's runs may use"),
  Command.withSubcommands([set, list]),
);

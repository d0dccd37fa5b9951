/** `runproof policies`: what a tenant's runs may call. */
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Effect from "effect/Effect";
import * as File from "../File.ts";
import * as Json from "../Json.ts";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import { root } from "../Root.ts";
import { load, withOperated, withStored } from "../Runproof.ts";
import { printable, tone, type Tone } from "../Screen.ts";
import * as Table from "../Table.ts";

const coordinator = load(() => import("@runproof/spine-coordinators/policies/PolicyCoordinator"));

const set = Command.make(
  "set",
  {
    path: Options.input("FILE", "Policy as JSON"),
    tenant_id: Options.tenantId,
    reason: Options.reason,
    actor: Options.actor,
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, path, ...order }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { PolicyCoordinator } = yield* coordinator;
    const text = yield* File.read(path);
    const version = yield* withOperated(
      { databaseUrl, home },
      PolicyCoordinator.use((policies) => policies.set({ text, where: printable(path), ...order })),
    );
    if (json) return yield* printJson({ version });
    yield* output.data(
      `version ${version} is in force for runs of tenant ${printable(order.tenant_id)} that begin from now on`,
    );
  }),
).pipe(
  Command.withDescription("Put a policy in force, as the tenant's next version"),
  Command.withExamples([
    {
      command:
        'runproof policies set policy.json --tenant-id my-team --reason "no refunds by agents"',
    },
  ]),
);

const list = Command.make(
  "list",
  { tenant_id: Options.tenantId, ...Options.database },
  Effect.fnUntraced(function* ({ tenant_id, ...location }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { PolicyCoordinator } = yield* coordinator;
    const policies = yield* withStored(
      location,
      PolicyCoordinator.use((each) => each.list(tenant_id)),
    );
    if (json) return yield* printJson({ policies });
    if (policies.length === 0)
      return yield* output.note(`tenant ${printable(tenant_id)} has no policy: all is allowed`);
    yield* output.data(
      Table.render(
        output.stdout,
        [
          { heading: "version", align: "right" },
          { heading: "set at" },
          { heading: "by" },
          { heading: "reason", shrinks_to: 12 },
        ],
        policies.map(({ version, set_at, actor, reason }) => [
          { text: String(version) },
          { text: set_at },
          { text: printable(actor) },
          { text: printable(reason) },
        ]),
      ),
    );
  }),
).pipe(
  Command.withDescription("List the versions of a tenant's policy, the newest first"),
  Command.withExamples([{ command: "runproof policies list --tenant-id my-team" }]),
);

const show = Command.make(
  "show",
  {
    tenant_id: Options.tenantId,
    version: Flag.Int("version-number").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("Version [the one in force]"),
      Options.optional,
    ),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ tenant_id, version, ...location }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { PolicyCoordinator } = yield* coordinator;
    const policy = yield* withStored(
      location,
      PolicyCoordinator.use((each) => each.show(tenant_id, version)),
    );
    if (json) return yield* printJson(policy);
    yield* output.data(policy.document);
    yield* output.note(
      `version ${policy.version}, set at ${policy.set_at} by ${printable(policy.actor)}: ${printable(policy.reason)}`,
    );
  }),
).pipe(
  Command.withDescription("Print a tenant's policy"),
  Command.withExamples([{ command: "runproof policies show --tenant-id my-team" }]),
);

const tones: Readonly<Record<string, Tone>> = { allow: "good", warn: "strong", block: "bad" };

const test = Command.make(
  "test",
  {
    path: Options.input("FILE", "Policy as JSON"),
    plan: Flag.File("plan").pipe(
      Flag.withMetavar("PLAN"),
      Flag.withDescription("Plan whose steps are tried"),
    ),
  },
  Effect.fnUntraced(function* ({ path, plan }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { readPolicy, tryOut } = yield* coordinator;
    const { checkPlan } = yield* load(
      () => import("@runproof/spine-coordinators/runs/RunCoordinator"),
    );
    const policy = yield* readPolicy(yield* File.read(path), printable(path));
    const { steps } = yield* checkPlan(yield* Json.readFile(plan));
    const rulings = steps.map(({ skill, params }, plan_step) => ({
      plan_step,
      skill,
      ...tryOut(policy, { skill_id: skill, params }),
    }));
    if (json) return yield* printJson({ rulings });
    yield* output.data(
      Table.render(
        output.stdout,
        [
          { heading: "step", align: "right" },
          { heading: "skill" },
          { heading: "ruling" },
          { heading: "rule", align: "right" },
          { heading: "reason", shrinks_to: 12 },
        ],
        rulings.map(({ plan_step, skill, effect, rule, reason }) => [
          { text: String(plan_step) },
          { text: printable(skill) },
          { text: effect, paint: (text) => tone(output.stdout, tones[effect] ?? "strong", text) },
          { text: rule === null ? "" : String(rule) },
          { text: printable(reason ?? "") },
        ]),
      ),
    );
  }),
).pipe(
  Command.withDescription("Say what a policy would decide of a plan's steps; nothing is called"),
  Command.withExamples([{ command: "runproof policies test policy.json --plan plan.json" }]),
);

export const command = Command.make("policies").pipe(
  Command.withDescription("Say what a tenant's runs may call, and try it out"),
  Command.withSubcommands([set, list, show, test]),
);

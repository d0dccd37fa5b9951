/** `runproof tenants`: whom a service serves. */
import { Identifier } from "@runproof/schemas/Text";
import * as Argument from "effect/cli/Argument";
import * as Command from "effect/cli/Command";
import * as Effect from "effect/Effect";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import { root } from "../Root.ts";
import { load, withOperated } from "../Runproof.ts";
import { printable } from "../Screen.ts";
import * as Table from "../Table.ts";

const coordinator = load(
  () => import("@runproof/spine-coordinators/identities/IdentityCoordinator"),
);

const create = Command.make(
  "create",
  {
    tenant_id: Argument.String("TENANT_ID").pipe(
      Argument.withDescription("Id of the tenant, as its runs name it"),
      Argument.withSchema(Identifier),
    ),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ tenant_id, ...location }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { IdentityCoordinator } = yield* coordinator;
    const is_new = yield* withOperated(
      location,
      IdentityCoordinator.use((identities) => identities.createTenant(tenant_id)),
    );
    if (json) return yield* printJson({ tenant_id, is_new });
    yield* output.data(
      `tenant ${printable(tenant_id)} ${is_new ? "is made" : "was there already"}`,
    );
  }),
).pipe(
  Command.withDescription("Make a tenant, to which API keys can be given"),
  Command.withExamples([{ command: "runproof tenants create my-team" }]),
);

const list = Command.make(
  "list",
  Options.database,
  Effect.fnUntraced(function* (location) {
    const { json } = yield* root;
    const output = yield* Output;
    const { IdentityCoordinator } = yield* coordinator;
    const tenants = yield* withOperated(
      location,
      IdentityCoordinator.use((identities) => identities.listTenants()),
    );
    if (json) return yield* printJson({ tenants });
    if (tenants.length === 0) return yield* output.note("no tenants yet");
    yield* output.data(
      Table.render(
        output.stdout,
        [{ heading: "tenant" }, { heading: "since" }],
        tenants.map(({ tenant_id, created_at }) => [
          { text: printable(tenant_id) },
          { text: created_at },
        ]),
      ),
    );
  }),
).pipe(
  Command.withDescription("List the tenants"),
  Command.withExamples([{ command: "runproof tenants list" }]),
);

export const command = Command.make("tenants").pipe(
  Command.withDescription("Make and list the tenants of a service"),
  Command.withSubcommands([create, list]),
);

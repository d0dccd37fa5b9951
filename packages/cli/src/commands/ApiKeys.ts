/** `runproof keys api`: the keys that speak for a tenant to the service. */
import { normaliseTimestamp } from "@runproof/proof/Timestamp";
import { InvalidInput } from "@runproof/schemas/RunProofError";
import type { ApiKey } from "@runproof/spine-coordinators/identities/IdentityCoordinator";
import * as Argument from "effect/cli/Argument";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
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

const scope = Options.repeatable(
  Flag.Literals("scope", ["write", "read", "admin"]).pipe(
    Flag.withDescription("What it may do; repeatable [write and read]"),
  ),
);

const timeOf = (text: string): Effect.Effect<string, InvalidInput> =>
  Effect.try({
    try: () => normaliseTimestamp(/^\d{4}-\d{2}-\d{2}$/u.test(text) ? `${text}T00:00:00Z` : text),
    catch: () =>
      new InvalidInput({
        what: `${JSON.stringify(text)} is no time`,
        where: "--expires",
        remedy: "Write it as 2027-01-31 or 2027-01-31T12:00:00Z.",
      }),
  });

const create = Command.make(
  "create",
  {
    tenant_id: Options.tenantId,
    name: Flag.String("name").pipe(
      Flag.withMetavar("NAME"),
      Flag.withDescription("What it is for, to know it by"),
    ),
    scope,
    expires: Options.optional(
      Flag.String("expires").pipe(
        Flag.withMetavar("TIME"),
        Flag.withDescription("When it ends: RFC 3339, or a date [never]"),
      ),
    ),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ databaseUrl, home, tenant_id, name, scope: asked, expires }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { IdentityCoordinator } = yield* coordinator;
    const expires_at = expires === undefined ? null : yield* timeOf(expires);
    const scopes = asked.length === 0 ? (["write", "read"] as const) : [...new Set(asked)];
    const made = yield* withOperated(
      { databaseUrl, home },
      IdentityCoordinator.use((identities) =>
        identities.createKey({ tenant_id, name, scopes, expires_at }),
      ),
    );
    if (json) return yield* printJson(made);
    yield* output.data(made.key);
    yield* output.note("it is shown this once: only its hash is kept");
  }),
).pipe(
  Command.withDescription("Make a key for a tenant, and print it once"),
  Command.withExamples([
    { command: "runproof keys api create --tenant-id my-team --name collector --scope write" },
  ]),
);

const stateOf = ({ revoked_at, expires_at }: ApiKey): string => {
  if (revoked_at !== null) return `revoked ${revoked_at}`;
  return expires_at === null ? "does not expire" : `expires ${expires_at}`;
};

const list = Command.make(
  "list",
  {
    tenant_id: Options.id("tenant-id", "T", "Only this tenant's [all]"),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ tenant_id, ...location }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { IdentityCoordinator } = yield* coordinator;
    const keys = yield* withOperated(
      location,
      IdentityCoordinator.use((identities) => identities.listKeys(tenant_id ?? null)),
    );
    if (json) return yield* printJson({ keys });
    if (keys.length === 0) return yield* output.note("no API keys yet");
    yield* output.data(
      Table.render(
        output.stdout,
        [
          { heading: "key" },
          { heading: "tenant" },
          { heading: "name", shrinks_to: 12 },
          { heading: "scopes" },
          { heading: "state" },
          { heading: "last used" },
        ],
        keys.map((key) => [
          { text: key.key_id },
          { text: printable(key.tenant_id) },
          { text: printable(key.name) },
          { text: key.scopes.join(" ") },
          { text: stateOf(key) },
          { text: key.last_used_at ?? "never" },
        ]),
      ),
    );
  }),
).pipe(
  Command.withDescription("List keys, without their secrets"),
  Command.withExamples([{ command: "runproof keys api list --tenant-id my-team" }]),
);

const revoke = Command.make(
  "revoke",
  {
    key_id: Argument.String("KEY_ID").pipe(
      Argument.withDescription("Key, as `keys api list` shows it"),
    ),
    ...Options.database,
  },
  Effect.fnUntraced(function* ({ key_id, ...location }) {
    const { json } = yield* root;
    const output = yield* Output;
    const { IdentityCoordinator } = yield* coordinator;
    yield* withOperated(
      location,
      IdentityCoordinator.use((identities) => identities.revokeKey(key_id)),
    );
    if (json) return yield* printJson({ key_id });
    yield* output.data(`key ${printable(key_id)} is revoked`);
  }),
).pipe(
  Command.withDescription("End a key for good"),
  Command.withExamples([{ command: "runproof keys api revoke 0a1b2c3d4e5f" }]),
);

export const command = Command.make("api").pipe(
  Command.withDescription("Make, list and revoke the API keys of tenants"),
  Command.withSubcommands([create, list, revoke]),
);

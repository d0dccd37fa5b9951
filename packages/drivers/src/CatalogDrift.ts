/**
 * What differs between the defences that the migrations made and those that a database has.
 * What is expected is a snapshot taken of a database that was just migrated: nothing in the database looked at is trusted.
 */
import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import {
  type Catalog,
  type CatalogFunction,
  type CatalogRole,
  type CatalogTable,
  type CatalogTrigger,
  readCatalog,
} from "./internal/postgres/readCatalog.ts";
import type { CatalogIntruder } from "./internal/postgres/readIntruders.ts";
import type { CatalogSetting } from "./internal/postgres/readSettings.ts";
import type { CatalogShadow } from "./internal/postgres/readShadows.ts";
import snapshot from "./internal/catalog.json" with { type: "json" };

/** One difference: the object, and what is wrong with it. */
export interface Drift {
  readonly object: string;
  readonly what: string;
}

const APPLICATION_ROLE = "runproof_app";
const OPERATOR_ROLE = "runproof_operator";
const SIGNER_ROLE = "runproof_signer";

type ExpectedFunction = Omit<CatalogFunction, "owner" | "config"> & {
  /** Its `SET` clauses, with the schema's own search path by its name here. */
  readonly config: ReadonlyArray<string>;
};

type ExpectedTable = Pick<
  CatalogTable,
  "name" | "kind" | "columns" | "constraints" | "indexes" | "grants" | "row_security" | "policies"
>;

/** What the migrations make, as the catalog of a database that was just migrated shows it; whatever its schema is called. */
export interface CatalogSnapshot {
  readonly tables: ReadonlyArray<ExpectedTable>;
  readonly triggers: ReadonlyArray<CatalogTrigger>;
  readonly functions: ReadonlyArray<ExpectedFunction>;
}

const byName = <Named extends { readonly name: string }>(some: ReadonlyArray<Named>) =>
  some.toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** The snapshot of a catalog: taken of a database that was just migrated, it is what every other is compared with. */
export const catalogSnapshot = (catalog: Catalog): CatalogSnapshot => ({
  tables: byName(catalog.tables).map(
    ({ name, kind, columns, constraints, indexes, grants, row_security, policies }) => ({
      name,
      kind,
      columns,
      // In the order of their text: a copied database lists them in another.
      constraints: constraints.toSorted(),
      indexes: indexes.toSorted(),
      grants: grants.toSorted(),
      row_security,
      policies: policies.toSorted(),
    }),
  ),
  triggers: catalog.triggers.toSorted((a, b) =>
    `${a.table}.${a.name}` < `${b.table}.${b.name}` ? -1 : 1,
  ),
  functions: byName(catalog.functions).map(({ owner: _owner, config, ...function_ }) => ({
    ...function_,
    config: config.map((setting) => plainSetting(setting, catalog.schema)),
  })),
});

const expected = snapshot as CatalogSnapshot;

/** What the bodies of the functions call, and the operators that they use; comparing goes without a sign in some places. */
const used = (() => {
  const code = expected.functions.map(({ source }) =>
    source.replaceAll(/--.*$/gmu, "").replaceAll(/'[^']*'/gu, "''"),
  );
  const all = (pattern: RegExp) =>
    code.flatMap((source) => [...source.matchAll(pattern)].map(([found]) => found));
  return {
    functions: new Set(all(/\w+(?=\()/gu)),
    operators: new Set([...all(/[-+*/<>=~!@#%^&|`?]+/gu), "=", "<>", "<", ">", "<=", ">="]),
  };
})();

/** The types of the values in the functions' bodies: what takes others is never called there. */
const USED_TYPES: ReadonlySet<string> = new Set([
  "text",
  "character varying",
  "name",
  '"char"',
  "bytea",
  "json",
  "jsonb",
  "record",
  "smallint",
  "integer",
  "bigint",
  "numeric",
  "double precision",
  "boolean",
  "oid",
  "xid8",
  "regclass",
  "interval",
  "timestamp with time zone",
  "timestamp without time zone",
  "text[]",
  "bytea[]",
  "bigint[]",
]);

/** Whether something in the product's schema can be called in place of what the functions mean. */
const canStandIn = ({ kind, name, arguments: types }: CatalogShadow): boolean =>
  used[kind === "operator" ? "operators" : "functions"].has(name) &&
  types.every((type) => USED_TYPES.has(type) || /^"?any/u.test(type));

const shadowDrift = (shadows: ReadonlyArray<CatalogShadow>): ReadonlyArray<Drift> =>
  shadows.flatMap((shadow) => {
    const { kind, schema, name, arguments: types } = shadow;
    if (kind === "name")
      return [{ object: `${schema}.${name}`, what: "its name is found before the product's own" }];
    return canStandIn(shadow)
      ? [
          {
            object: `${kind} ${name}(${types.join(", ")})`,
            what: "it stands in for PostgreSQL's own in the functions",
          },
        ]
      : [];
  });

/** Who reads evidence harms none. Of a lease it is told by its holder who may write: whoever reads it could pass for that. */
const isOfReading = (grant: string): boolean => /:SELECT(?: \(.*\))?$/u.test(grant);

const LEASES = "aos_trace_leases";

/** `pg_class.relkind` of what numbers the rows of the log's queue. */
const SEQUENCE = "S";

/** The name that a policy's text begins with. */
const nameOf = (policy: string): string => policy.split(" ", 1)[0]!;

const tableDrift = (
  owner: string,
  table: CatalogTable | undefined,
  wanted: ExpectedTable,
): ReadonlyArray<string> => {
  const { name, kind, grants } = wanted;
  if (table === undefined) return [`the ${kind === SEQUENCE ? "sequence" : "table"} is missing`];
  const wrongGrants = table.grants.filter(
    (grant) => !grants.includes(grant) && !(isOfReading(grant) && name !== LEASES),
  );
  const without = (list: ReadonlyArray<string>, others: ReadonlyArray<string>) =>
    list.filter((each) => !others.includes(each));
  return [
    ...(table.kind === kind ? [] : [`it is of another kind (${table.kind})`]),
    // A sequence follows the table whose rows it numbers.
    ...(table.persistence === "p" || kind === SEQUENCE
      ? []
      : ["its rows do not survive a crash (it is not logged)"]),
    ...without(wanted.columns, table.columns).map((column) => `its column ${column} is not there`),
    ...without(table.columns, wanted.columns).map(
      (column) => `a column that no migration made: ${column}`,
    ),
    ...(table.has_triggers || !expected.triggers.some((trigger) => trigger.table === name)
      ? []
      : ["none of its triggers fires (relhastriggers is off)"]),
    ...(table.owner === owner
      ? []
      : [`it is owned by ${table.owner}, the other tables by ${owner}`]),
    ...(table.row_security === wanted.row_security
      ? []
      : [
          table.row_security === "off"
            ? "row-level security is off: who serves one tenant sees all"
            : `row-level security is ${table.row_security}, which can hide rows`,
        ]),
    ...table.rules.map((rule) => `the rule ${rule} rewrites statements on it`),
    ...without(wanted.policies, table.policies).map(
      (policy) => `its policy ${nameOf(policy)} is gone, or says something else`,
    ),
    ...without(table.policies, wanted.policies).map(
      (policy) => `the policy ${nameOf(policy)} can hide rows`,
    ),
    ...table.children.map((child) => `the table ${child} inherits from it`),
    ...table.parents.map((parent) => `it inherits from ${parent}`),
    ...table.attached.map((attached) => `${attached} refers to it`),
    ...without(wanted.constraints, table.constraints).map(
      (constraint) => `its constraint ${constraint} is gone, or its index is off`,
    ),
    ...without(table.constraints, wanted.constraints).map(
      (constraint) => `a constraint that no migration made: ${constraint}`,
    ),
    ...without(wanted.indexes, table.indexes).map((index) => `its index ${index} is gone`),
    ...without(table.indexes, wanted.indexes).map(
      (index) => `an index that no migration made: ${index}`,
    ),
    ...new Set(
      without(grants, table.grants).map((grant) => `${grant.split(":")[0]} may not read it`),
    ),
    ...wrongGrants.map((grant) => `a right that was not given: ${grant}`),
  ];
};

const triggerDrift = (
  found: CatalogTrigger | undefined,
  wanted: CatalogTrigger,
): ReadonlyArray<string> => {
  if (found === undefined) return ["the trigger is missing"];
  return [
    ...(found.enabled === wanted.enabled
      ? []
      : [`it is not ENABLE ALWAYS (state ${found.enabled})`]),
    ...(found.function === wanted.function ? [] : [`it calls ${found.function}`]),
    ...(found.type_bits === wanted.type_bits && found.condition === wanted.condition
      ? []
      : ["it fires on other events or conditions"]),
  ];
};

const OWN_PATH = "the product's schema";

/** The search path that the migrations pin, in each way that it is stored: names may be quoted that need not be. */
const plainSetting = (setting: string, schema: string): string => {
  const quoted = `"${schema.replaceAll('"', '""')}"`;
  const schemas = /^[a-z_][a-z0-9_]*$/u.test(schema) ? [schema, quoted] : [quoted];
  const paths = schemas.flatMap((own) => [`${own}, pg_temp`, `${own}, "pg_temp"`]);
  return paths.some((path) => setting === `search_path=${path}`)
    ? `search_path=${OWN_PATH}`
    : setting;
};

const functionDrift = (
  { owner, schema }: { readonly owner: string; readonly schema: string },
  found: CatalogFunction | undefined,
  wanted: ExpectedFunction,
): ReadonlyArray<string> => {
  if (found === undefined) return ["the function is missing"];
  const config = found.config.map((setting) => plainSetting(setting, schema)).join("; ");
  return [
    ...(found.source === wanted.source ? [] : ["its body was replaced"]),
    ...(found.owner === owner ? [] : [`it is owned by ${found.owner}, the tables by ${owner}`]),
    ...(found.arguments === wanted.arguments && found.result === wanted.result
      ? []
      : [`it is now (${found.arguments}) returning ${found.result}`]),
    ...(found.security_definer === wanted.security_definer && found.language === wanted.language
      ? []
      : ["its language or its rights were changed"]),
    ...(found.strict ? ["it is STRICT now, and passes over nulls"] : []),
    ...(found.volatility === wanted.volatility ? [] : ["its volatility was changed"]),
    ...(config === wanted.config.join("; ")
      ? []
      : [`its settings are ${found.config.join("; ") || "none"}`]),
    ...(found.executors.join(",") === wanted.executors.join(",")
      ? []
      : [`it may be executed by ${found.executors.join(", ") || "nobody"}`]),
  ];
};

const ROLES: Readonly<Record<string, string>> = {
  [APPLICATION_ROLE]: "the application's role",
  [OPERATOR_ROLE]: "the operator's role",
  [SIGNER_ROLE]: "the signer's role",
  runproof_tenant: "the role that serves tenants",
};

const roleDrift = ({ name, attributes, memberships }: CatalogRole): ReadonlyArray<string> => {
  const whose = ROLES[name] ?? name;
  // Who operates or signs may do what the application may.
  const mayRecord = name === OPERATOR_ROLE || name === SIGNER_ROLE;
  const others = memberships.filter((role) => !(mayRecord && role === APPLICATION_ROLE));
  return [
    ...attributes.map((attribute) => `${whose} has ${attribute}`),
    ...others.map((role) => `${whose} has the rights of ${role}`),
  ];
};

const INTRUSIONS: Readonly<Record<CatalogIntruder["kind"], string>> = {
  cast: "values of PostgreSQL's own types are read through it",
  operator: "it can be taken for PostgreSQL's own",
  function: "it can be taken for PostgreSQL's own",
  "operator class": "an index that uses it orders PostgreSQL's own types otherwise",
  "operator family": "it was added to, and says how PostgreSQL's own types are ordered",
};

/** Settings that decide which rows a statement finds, whether guards fire, or whose code the server runs. */
const isDeceiving = (setting: string): boolean => {
  const [name = "", value = ""] = setting.split(/=(.*)/su);
  if (name === "search_path") return /.,\s*"?pg_catalog"?/u.test(value);
  return DECEIVING.has(name) || name.startsWith("enable_");
};

const DECEIVING: ReadonlySet<string> = new Set([
  "session_replication_role",
  "row_security",
  "transform_null_equals",
  "ignore_system_indexes",
  "ignore_checksum_failure",
  "zero_damaged_pages",
  "session_preload_libraries",
  "local_preload_libraries",
]);

const settingDrift = (settings: ReadonlyArray<CatalogSetting>): ReadonlyArray<Drift> =>
  settings
    .filter(({ setting }) => isDeceiving(setting))
    .map(({ role, setting }) => ({
      object: role === null ? "the settings of the database" : `the settings of the role ${role}`,
      what: `they have ${setting}`,
    }));

/** Rights of a schema's owner, and of who may create in it, that are those of the tables' owner in all but name. */
const schemaDrift = ({ owners }: Catalog, owner: string): ReadonlyArray<string> => [
  ...owners.schema_creators.map(
    (role) => `${role} may create objects in it, which can pass for others`,
  ),
  ...(owners.schema === APPLICATION_ROLE
    ? ["the application's role owns it, and may drop the tables"]
    : owners.is_schema_in_hand
      ? []
      : [`${owners.schema} owns it, and may drop the tables of ${owner}`]),
];

const databaseDrift = ({ owners }: Catalog): ReadonlyArray<string> => [
  ...(owners.database === APPLICATION_ROLE ? ["the application's role owns it"] : []),
  ...owners.database_creators
    .filter((role) => role === APPLICATION_ROLE || role === "public")
    .map((role) => `${role} may create schemas in it, where names are looked for first`),
];

/** Lists every difference, none where all defences are as the migrations made them. */
export const catalogDrift = (catalog: Catalog): ReadonlyArray<Drift> => {
  // Where the table of traces itself is gone, another says who made them.
  const traces = catalog.tables.find((table) => table.name === "aos_traces") ?? catalog.tables[0];
  const owner = traces?.owner ?? "";
  const drift: Array<Drift> = [];
  const report = (object: string, wrong: ReadonlyArray<string>) => {
    for (const what of wrong) drift.push({ object, what });
  };
  for (const role of catalog.roles) report(role.name, roleDrift(role));
  report(`schema ${catalog.schema}`, schemaDrift(catalog, owner));
  report("the database", databaseDrift(catalog));
  for (const wanted of expected.tables) {
    const found = catalog.tables.find((table) => table.name === wanted.name);
    report(wanted.name, tableDrift(owner, found, wanted));
  }
  for (const { name } of catalog.tables) {
    if (!expected.tables.some((wanted) => wanted.name === name))
      report(name, ["a table that no migration made"]);
  }
  if (owner === APPLICATION_ROLE) report("aos_traces", ["the application's role owns it"]);
  for (const wanted of expected.triggers) {
    const found = catalog.triggers.find(
      (trigger) => trigger.table === wanted.table && trigger.name === wanted.name,
    );
    report(`${wanted.table}.${wanted.name}`, triggerDrift(found, wanted));
  }
  for (const { table, name } of catalog.triggers) {
    const known = expected.triggers.some(
      (trigger) => trigger.table === table && trigger.name === name,
    );
    if (!known) report(`${table}.${name}`, ["a trigger that no migration made"]);
  }
  for (const wanted of expected.functions) {
    const found = catalog.functions.filter((candidate) => candidate.name === wanted.name);
    report(wanted.name, functionDrift({ owner, schema: catalog.schema }, found[0], wanted));
    if (found.length > 1) report(wanted.name, ["a second function has its name"]);
  }
  for (const { name } of catalog.functions) {
    if (!expected.functions.some((wanted) => wanted.name === name))
      report(name, ["a function that no migration made"]);
  }
  drift.push(...shadowDrift(catalog.shadows));
  for (const { kind, name } of catalog.intruders) report(`${kind} ${name}`, [INTRUSIONS[kind]]);
  drift.push(...settingDrift(catalog.settings), ...catalog.reaches);
  return drift;
};

/** Reads a database's catalog, and lists what differs in it. */
export const readDrift = (sql: SqlClient): Effect.Effect<ReadonlyArray<Drift>, SqlError> =>
  Effect.map(readCatalog(sql), catalogDrift);

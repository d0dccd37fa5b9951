/**
 * What differs between the defences that the migrations made and those that a database has.
 * Expected definitions are read from the migrations' own statements: nothing in the database is trusted for them.
 */
import type {
  Catalog,
  CatalogFunction,
  CatalogRole,
  CatalogTable,
  CatalogTrigger,
} from "./internal/postgres/readCatalog.ts";
import type { CatalogShadow } from "./internal/postgres/readShadows.ts";
import { createMigrationsTable, migrations, type Migration } from "./Migrations.ts";

/** One difference: the object, and what is wrong with it. */
export interface Drift {
  readonly object: string;
  readonly what: string;
}

const APPLICATION_ROLE = "runproof_app";

/** Bits of `pg_trigger.tgtype`. */
const TRIGGER_BITS = { row: 1, before: 2, insert: 4, delete: 8, update: 16, truncate: 32 } as const;

interface ExpectedFunction extends Pick<
  CatalogFunction,
  "name" | "arguments" | "result" | "source" | "security_definer" | "language" | "volatility"
> {
  /** Names and values of its `SET` clauses; null for the schema's own search path. */
  readonly settings: ReadonlyArray<readonly [name: string, value: string | null]>;
}

interface ExpectedTable {
  readonly columns: ReadonlyArray<string>;
  readonly constraints: ReadonlyArray<string>;
}

interface Expected {
  readonly tables: ReadonlyMap<string, ExpectedTable>;
  readonly triggers: ReadonlyArray<CatalogTrigger>;
  readonly functions: ReadonlyArray<ExpectedFunction>;
  readonly executable: ReadonlySet<string>;
  /** What the application may read, as the catalog shows it: of a table, whole or by columns. */
  readonly grants: ReadonlyMap<string, ReadonlyArray<string>>;
}

const createTable = /^create table (?:if not exists )?(\w+) \(/u;
const createFunction =
  /^create (?:or replace )?function (\w+)\(([^)]*)\)\s+returns (table \([^)]*\)|[\w[\]]+)/u;
const setClause = /\bset (\w+) (?:from current|(?:=|to) (\w+))/gu;
const columnLine = /^ {2}(\w+) +(double precision|\w+)( .*)?$/u;
const createTrigger =
  /^create trigger (\w+) before ([\w ]+) on (\w+) for each (row|statement) execute function (\w+)\(\)/u;
const grantSelect = /^grant select (?:\(([\w, ]+)\) )?on (\w+) to/u;
const grantExecute = /^grant execute on function (\w+)\(/u;

/** The names that the catalog has for types which statements name otherwise. */
const TYPE_NAMES: Readonly<Record<string, string>> = { timestamptz: "timestamp with time zone" };

/** How the catalog prints the expressions of defaults and checks that the statements write otherwise. */
const PRINTED: Readonly<Record<string, string>> = {
  "'queued'": "'queued'::text",
  "pg_current_xact_id()::text::bigint": "((pg_current_xact_id())::text)::bigint",
  "kind between 1 and 4": "((kind >= 1) AND (kind <= 4))",
  "digest ~ '^[0-9a-f]{64}$'": "(digest ~ '^[0-9a-f]{64}$'::text)",
  "length(hashes) = 8192": "(length(hashes) = 8192)",
  "status in ('queued', 'running', 'succeeded', 'failed', 'aborted')":
    "(status = ANY (ARRAY['queued'::text, 'running'::text, 'succeeded'::text, 'failed'::text, 'aborted'::text]))",
  "status in ('running', 'completed', 'failed', 'aborted')":
    "(status = ANY (ARRAY['running'::text, 'completed'::text, 'failed'::text, 'aborted'::text]))",
};

const printed = (expression: string): string => PRINTED[expression] ?? expression;

const keyColumns = (statement: string, kind: "primary key" | "unique"): string | undefined =>
  new RegExp(`^  ${kind} \\(([\\w, ]+)\\)`, "mu").exec(statement)?.[1];

/** The columns and constraints that a statement gives a table, as the catalog shows them. */
const tableOf = (statement: string): ExpectedTable => {
  const lines = statement.split("\n").map((line) => line.replace(/,$/u, ""));
  const columns = lines.flatMap((line) => {
    const [, name, type, rest = ""] = columnLine.exec(line) ?? [];
    const isColumn = name !== undefined && name !== "primary" && name !== "unique";
    return isColumn ? [{ name, type: TYPE_NAMES[type!] ?? type!, rest }] : [];
  });
  const own = columns.find(({ rest }) => rest.includes("primary key"));
  const primary = own?.name ?? keyColumns(statement, "primary key")!;
  const unique = keyColumns(statement, "unique");
  return {
    columns: columns.map(({ name, type, rest }) => {
      const isRequired = /not null|generated/u.test(rest) || primary.split(", ").includes(name);
      const [, default_] = / default ([^ ]+)/u.exec(rest) ?? [];
      const [identity = ""] = / generated always as identity/u.exec(rest) ?? [];
      return [
        `${name} ${type}`,
        isRequired ? " not null" : "",
        default_ === undefined ? "" : ` default ${printed(default_)}`,
        identity,
      ].join("");
    }),
    constraints: [
      ...[...statement.matchAll(/constraint (\w+) check \((.*)\),?$/gmu)].map(
        ([, name, check]) => `${name} CHECK (${printed(check!)})`,
      ),
      `PRIMARY KEY (${primary})`,
      ...(unique === undefined ? [] : [`UNIQUE (${unique})`]),
    ],
  };
};

const triggerOf = (match: RegExpExecArray): CatalogTrigger => {
  const [, name, events, table, level, function_] = match;
  const bits = events!
    .split(" or ")
    .reduce(
      (sum, event) => sum | TRIGGER_BITS[event as keyof typeof TRIGGER_BITS],
      TRIGGER_BITS.before as number,
    );
  return {
    table: table!,
    name: name!,
    type_bits: level === "row" ? bits | TRIGGER_BITS.row : bits,
    enabled: "A",
    function: function_!,
    conditional: false,
  };
};

const oneLine = (text: string) => text.replaceAll(/\s+/gu, " ").trim();

const functionOf = (match: RegExpExecArray, statement: string): ExpectedFunction => {
  const [, name, parameters, result] = match;
  const [head, source] = statement.split("$$");
  return {
    name: name!,
    arguments: oneLine(parameters!),
    result: oneLine(result!).replace("table (", "TABLE("),
    source: source!,
    security_definer: /security definer/u.test(head!),
    language: /language (\w+)/u.exec(head!)![1]!,
    volatility: /immutable|stable/u.exec(head!)?.[0][0] ?? "v",
    settings: [...head!.matchAll(setClause)].map(([, setting, value = null]) => [setting!, value]),
  };
};

const READS_ALL = [`${APPLICATION_ROLE}:SELECT`];

const grantsOf = (columns: string | undefined): ReadonlyArray<string> =>
  columns === undefined
    ? READS_ALL
    : columns.split(", ").map((column) => `${APPLICATION_ROLE}:SELECT (${column})`);

const readExpected = (known: ReadonlyArray<Migration>): Expected => {
  const tables = new Map<string, ExpectedTable>();
  const triggers: Array<CatalogTrigger> = [];
  const functions = new Map<string, ExpectedFunction>();
  const executable = new Set<string>();
  const grants = new Map<string, ReadonlyArray<string>>();
  const statements = known.flatMap((migration) => migration.statements);
  for (const statement of [createMigrationsTable, ...statements]) {
    const table = createTable.exec(statement)?.[1];
    const function_ = createFunction.exec(statement);
    const trigger = createTrigger.exec(statement);
    const grant = grantExecute.exec(statement)?.[1];
    const [isSelect, readable, read_table] = grantSelect.exec(statement) ?? [];
    if (table !== undefined) tables.set(table, tableOf(statement));
    if (function_ !== null) functions.set(function_[1]!, functionOf(function_, statement));
    if (trigger !== null) triggers.push(triggerOf(trigger));
    if (grant !== undefined) executable.add(grant);
    if (isSelect !== undefined) grants.set(read_table!, grantsOf(readable));
  }
  return { tables, triggers, functions: [...functions.values()], executable, grants };
};

const expected = readExpected(migrations);

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

const tableDrift = (
  owner: string,
  table: CatalogTable | undefined,
  name: string,
): ReadonlyArray<string> => {
  if (table === undefined) return ["the table is missing"];
  // The table of the migrations gets its grant beside them.
  const grants = expected.grants.get(name) ?? READS_ALL;
  const wrongGrants = table.grants.filter(
    (grant) => !grants.includes(grant) && !(isOfReading(grant) && name !== LEASES),
  );
  const wanted = expected.tables.get(name)!;
  const without = (list: ReadonlyArray<string>, others: ReadonlyArray<string>) =>
    list.filter((each) => !others.includes(each));
  return [
    ...(table.kind === "r" ? [] : [`it is not an ordinary table (kind ${table.kind})`]),
    ...(table.persistence === "p" ? [] : ["its rows do not survive a crash (it is not logged)"]),
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
    ...(table.row_security ? ["row-level security is on, which can hide rows"] : []),
    ...table.rules.map((rule) => `the rule ${rule} rewrites statements on it`),
    ...table.policies.map((policy) => `the policy ${policy} can hide rows`),
    ...table.children.map((child) => `the table ${child} inherits from it`),
    ...without(wanted.constraints, table.constraints).map(
      (constraint) => `its constraint ${constraint} is gone, or its index is off`,
    ),
    ...(grants.every((grant) => table.grants.includes(grant))
      ? []
      : [`${APPLICATION_ROLE} may not read it`]),
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
    ...(found.type_bits === wanted.type_bits && !found.conditional
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
  const wantedConfig = wanted.settings
    .map(([setting, value]) => `${setting}=${value ?? OWN_PATH}`)
    .join("; ");
  const executors = expected.executable.has(wanted.name) ? APPLICATION_ROLE : "";
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
    ...(config === wantedConfig ? [] : [`its settings are ${found.config.join("; ") || "none"}`]),
    ...(found.executors.join(",") === executors
      ? []
      : [`it may be executed by ${found.executors.join(", ") || "nobody"}`]),
  ];
};

const roleDrift = ({ attributes, memberships }: CatalogRole): ReadonlyArray<string> => [
  ...attributes.map((attribute) => `the application's role has ${attribute}`),
  ...memberships.map((role) => `the application's role has the rights of ${role}`),
];

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
  const owner = catalog.tables.find((table) => table.name === "aos_traces")?.owner ?? "";
  const drift: Array<Drift> = [];
  const report = (object: string, wrong: ReadonlyArray<string>) => {
    for (const what of wrong) drift.push({ object, what });
  };
  report(APPLICATION_ROLE, roleDrift(catalog.application));
  report(`schema ${catalog.schema}`, schemaDrift(catalog, owner));
  report("the database", databaseDrift(catalog));
  for (const name of expected.tables.keys()) {
    report(
      name,
      tableDrift(
        owner,
        catalog.tables.find((table) => table.name === name),
        name,
      ),
    );
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
  return drift;
};

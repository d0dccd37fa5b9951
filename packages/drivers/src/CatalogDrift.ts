/**
 * What differs between the defences that the migrations made and those that a database has.
 * Expected definitions are read from the migrations' own statements: nothing in the database is trusted for them.
 */
import type {
  Catalog,
  CatalogFunction,
  CatalogTable,
  CatalogTrigger,
} from "./internal/postgres/readCatalog.ts";
import { migrations, type Migration } from "./Migrations.ts";

/** One difference: the object, and what is wrong with it. */
export interface Drift {
  readonly object: string;
  readonly what: string;
}

const APPLICATION_ROLE = "runproof_app";
const MIGRATIONS_TABLE = "aos_schema_migrations";

/** Bits of `pg_trigger.tgtype`. */
const TRIGGER_BITS = { row: 1, before: 2, insert: 4, delete: 8, update: 16, truncate: 32 } as const;

interface ExpectedFunction {
  readonly name: string;
  readonly source: string;
  readonly security_definer: boolean;
  readonly language: string;
  readonly pinned: boolean;
}

interface Expected {
  readonly tables: ReadonlyMap<string, ReadonlyArray<string>>;
  readonly triggers: ReadonlyArray<CatalogTrigger>;
  readonly functions: ReadonlyArray<ExpectedFunction>;
  readonly executable: ReadonlySet<string>;
}

const createTable = /^create table (\w+) \(/u;
const createFunction = /^create (?:or replace )?function (\w+)\(/u;
const createTrigger =
  /^create trigger (\w+) before ([\w ]+) on (\w+) for each (row|statement) execute function (\w+)\(\)/u;
const grantExecute = /^grant execute on function (\w+)\(/u;

/** Names that PostgreSQL gives, or that the statement gives, to a table's keys and checks. */
const constraintsOf = (table: string, statement: string): ReadonlyArray<string> => {
  const names = [...statement.matchAll(/constraint (\w+) check/gu)].map((match) => match[1]!);
  if (/primary key/u.test(statement)) names.push(`${table}_pkey`);
  const unique = /^\s*unique \(([\w, ]+)\)/mu.exec(statement);
  if (unique !== null) names.push(`${table}_${unique[1]!.split(", ").join("_")}_key`);
  return names;
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

const functionOf = (name: string, statement: string): ExpectedFunction => {
  const [head, source] = statement.split("$$");
  return {
    name,
    source: source!,
    security_definer: /security definer/u.test(head!),
    language: /language (\w+)/u.exec(head!)![1]!,
    pinned: /set search_path from current/u.test(head!),
  };
};

const readExpected = (known: ReadonlyArray<Migration>): Expected => {
  const tables = new Map<string, ReadonlyArray<string>>([
    [MIGRATIONS_TABLE, [`${MIGRATIONS_TABLE}_pkey`]],
  ]);
  const triggers: Array<CatalogTrigger> = [];
  const functions = new Map<string, ExpectedFunction>();
  const executable = new Set<string>();
  for (const statement of known.flatMap((migration) => migration.statements)) {
    const table = createTable.exec(statement)?.[1];
    const function_ = createFunction.exec(statement)?.[1];
    const trigger = createTrigger.exec(statement);
    const grant = grantExecute.exec(statement)?.[1];
    if (table !== undefined) tables.set(table, constraintsOf(table, statement));
    if (function_ !== undefined) functions.set(function_, functionOf(function_, statement));
    if (trigger !== null) triggers.push(triggerOf(trigger));
    if (grant !== undefined) executable.add(grant);
  }
  return { tables, triggers, functions: [...functions.values()], executable };
};

const expected = readExpected(migrations);

const tableDrift = (
  owner: string,
  table: CatalogTable | undefined,
  name: string,
): ReadonlyArray<string> => {
  if (table === undefined) return ["the table is missing"];
  const wrongGrants = table.grants.filter((grant) => grant !== `${APPLICATION_ROLE}:SELECT`);
  const lost = expected.tables
    .get(name)!
    .filter((constraint) => !table.constraints.includes(constraint));
  return [
    ...(table.kind === "r" ? [] : [`it is not an ordinary table (kind ${table.kind})`]),
    ...(table.owner === owner
      ? []
      : [`it is owned by ${table.owner}, the other tables by ${owner}`]),
    ...(table.row_security ? ["row-level security is on, which can hide rows"] : []),
    ...table.rules.map((rule) => `the rule ${rule} rewrites statements on it`),
    ...table.policies.map((policy) => `the policy ${policy} can hide rows`),
    ...table.children.map((child) => `the table ${child} inherits from it`),
    ...lost.map((constraint) => `its constraint ${constraint} is gone`),
    ...(table.grants.includes(`${APPLICATION_ROLE}:SELECT`)
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

const functionDrift = (
  { owner, schema }: { readonly owner: string; readonly schema: string },
  found: CatalogFunction | undefined,
  wanted: ExpectedFunction,
): ReadonlyArray<string> => {
  if (found === undefined) return ["the function is missing"];
  const config = wanted.pinned ? `search_path=${schema}, pg_temp` : "";
  const executors = expected.executable.has(wanted.name) ? APPLICATION_ROLE : "";
  return [
    ...(found.source === wanted.source ? [] : ["its body was replaced"]),
    ...(found.owner === owner ? [] : [`it is owned by ${found.owner}, the tables by ${owner}`]),
    ...(found.security_definer === wanted.security_definer && found.language === wanted.language
      ? []
      : ["its language or its rights were changed"]),
    ...((found.config ?? "").replaceAll('"', "") === config
      ? []
      : [`its settings are ${found.config ?? "none"}`]),
    ...(found.executors.join(",") === executors
      ? []
      : [`it may be executed by ${found.executors.join(", ") || "nobody"}`]),
  ];
};

/** Lists every difference, none where all defences are as the migrations made them. */
export const catalogDrift = (catalog: Catalog): ReadonlyArray<Drift> => {
  const owner = catalog.tables.find((table) => table.name === "aos_traces")?.owner ?? "";
  const drift: Array<Drift> = [];
  const report = (object: string, wrong: ReadonlyArray<string>) => {
    for (const what of wrong) drift.push({ object, what });
  };
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
  return drift;
};

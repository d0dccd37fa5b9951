/**
 * Goal: what a database's owner can tell the server about names, casts, indexes and settings makes no audit and no proof look
 * away. Method: each deception in a database of its own, beside evidence that was changed; then the database is opened anew.
 */
import { expect, layer } from "@effect/vitest";
import { Database } from "@runproof/drivers/Database";
import type { LogsBridge } from "@runproof/spine-coordinators/logs/LogsBridge";
import type { AuditReport } from "@runproof/schemas/AuditReport";
import {
  AuditCoordinator,
  type AuditOptions,
} from "@runproof/spine-coordinators/audit/AuditCoordinator";
import * as AuditLayer from "@runproof/spine-coordinators/audit/AuditLayer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import {
  asSuperuser,
  audited,
  number,
  pastTriggers,
  type Run,
  sealedRun,
  sealedRuns,
} from "./AuditedRuns.ts";
import { serverConfig } from "./TestDatabase.ts";

/** Audits with sessions that begin now, under what the database says by now. */
const auditAnew = (options?: AuditOptions) =>
  Effect.flatMap(Database, ({ config }) =>
    Effect.flatMap(AuditCoordinator, (coordinator) => coordinator.audit(options)).pipe(
      Effect.map(({ report }) => report),
      Effect.provide(AuditLayer.layer.pipe(Layer.provide(Database.asItIs(config))), {
        local: true,
      }),
    ),
  );

const deceived = <E>(
  what: string,
  deceive: (run: Run) => Effect.Effect<unknown, E, Database | LogsBridge>,
  check: (report: AuditReport, run: Run) => void,
) =>
  layer(audited(serverConfig), { excludeTestServices: true, timeout: 60_000 })(
    "an audit is not deceived by",
    (it) => {
      it.effect(what, () =>
        Effect.gen(function* () {
          yield* sealedRuns(20);
          const run = yield* sealedRun(3);
          yield* sealedRuns(20);
          yield* number;
          yield* deceive(run);
          check(yield* auditAnew(), run);
        }),
      );
    },
  );

const onDatabase = (clause: string) =>
  `do $$ begin execute format('alter database %I ${clause}', current_database()); end $$`;

const codesOf = ({ findings }: AuditReport, trace_id: string) =>
  findings.filter((finding) => finding.trace_id === trace_id).map(({ code }) => code);

const driftOf = ({ findings }: AuditReport) =>
  findings.flatMap(({ code, object }) => (code === "CATALOG_DRIFT" ? [object] : []));

deceived(
  "operators of another schema that the search path names first",
  ({ trace_id }) =>
    Effect.gen(function* () {
      yield* pastTriggers(`delete from aos_trace_steps where trace_id = '${trace_id}'`);
      yield* asSuperuser(
        "create schema evil",
        "grant usage on schema evil to public",
        ...[">=", ">", "<=", "<", "="].flatMap((operator, at) => [
          `create function evil.compare${at}(text, text) returns boolean immutable language sql as
             $$ select $1 operator(pg_catalog.${operator}) $2 and $1 operator(pg_catalog.<>) '${trace_id}' $$`,
          `create operator evil.${operator} (leftarg = text, rightarg = text, function = evil.compare${at})`,
        ]),
        onDatabase("set search_path = public, evil, pg_catalog"),
      );
    }),
  (report, { trace_id }) => {
    console.log(report.verdict, JSON.stringify(report.checked), JSON.stringify(report.findings));
    expect(codesOf(report, trace_id)).toContain("TRUNCATED");
    expect(report.checked.traces).toBe(41);
    expect(driftOf(report)).toEqual(
      expect.arrayContaining(["operator evil.>=(text, text)", "the settings of the database"]),
    );
  },
);

/** Compares texts as the database does, but for one that stands behind all others. */
const lyingOrder = ({ trace_id }: Run) => [
  "create schema evil",
  `create function evil.compare(text, text) returns integer immutable language sql as
     $$ select case when $1 = $2 then 0 when $1 = '${trace_id}' then 1 when $2 = '${trace_id}' then -1
               else bttextcmp($1, $2) end $$`,
  `create operator class evil.last_ops for type text using btree as
     operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 evil.compare(text, text)`,
];

deceived(
  "an index whose operator class hides a run, and settings that make the server take it",
  (run) =>
    Effect.gen(function* () {
      yield* pastTriggers(`delete from aos_trace_steps where trace_id = '${run.trace_id}'`);
      yield* asSuperuser(
        ...lyingOrder(run),
        "create index aside on aos_traces (trace_id evil.last_ops)",
        "update pg_index set indisvalid = false where indexrelid = 'aos_traces_pkey'::regclass",
        onDatabase("set enable_seqscan = off"),
      );
    }),
  (report, { trace_id }) => {
    console.log(report.verdict, JSON.stringify(report.checked), JSON.stringify(report.findings));
    // Its own id finds it, which the range that it lies in does not.
    expect(codesOf(report, trace_id)).toContain("TRUNCATED");
    expect(driftOf(report)).toEqual(
      expect.arrayContaining([
        "aos_traces",
        "operator class evil.last_ops",
        "the settings of the database",
      ]),
    );
  },
);

deceived(
  "a cast that prints a changed time as the old one",
  ({ trace_id }) =>
    Effect.gen(function* () {
      const { sql } = yield* Database;
      const [row] = yield* sql<{ time: string }>`
        select substring(record from '"started_at":"([^"]*)"') as time from aos_traces where trace_id = ${trace_id}`;
      yield* pastTriggers(
        `update aos_traces set started_at = 'infinity' where trace_id = '${trace_id}'`,
      );
      yield* asSuperuser(
        `create function public.old_time(timestamptz) returns text immutable language sql as $$ select '${row!.time}'::text $$`,
        "create cast (timestamptz as text) with function public.old_time(timestamptz)",
      );
    }),
  (report, { trace_id }) => {
    console.log(report.verdict, JSON.stringify(report.checked), JSON.stringify(report.findings));
    expect(codesOf(report, trace_id)).toContain("COLUMN_MISMATCH");
    expect(driftOf(report)).toContain("cast (timestamp with time zone as text)");
  },
);

// What runproof is compared with, each as its own documentation uses it.
import { DBOS } from "@dbos-inc/dbos-sdk";
import { getPostgreSQLEventStore } from "@event-driven-io/emmett-postgresql";
import { randomUUID } from "node:crypto";
import pg from "pg";

/** Runs `act` one after the other in `runs` runs beside each other. */
const inRuns = async (runs, steps, act) => {
  await Promise.all(
    Array.from({ length: runs }, async (_, run) => {
      for (let step = 0; step < steps; step += 1) await act(run, step);
    }),
  );
  return runs * steps;
};

const INSERT = `insert into plain_steps (trace_id, step_index, skill_id, status, "timestamp", record, params, params_salt, outcome_data, outcome_data_salt, attributes, attributes_salt, leaf_hash, link)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`;

/** A table with the bytes of a step and its primary key, and no defence; `rows` are written by `INSERT`s, one commit each. */
export const plainInserts = async (url, row, connections) => {
  const pool = new pg.Pool({ connectionString: url, max: connections });
  await pool.query(`create table if not exists plain_steps (
    trace_id text, step_index bigint, skill_id text, status text, "timestamp" timestamptz, record text,
    params text, params_salt text, outcome_data text, outcome_data_salt text, attributes text, attributes_salt text,
    leaf_hash text, link text, primary key (trace_id, step_index))`);
  const values = (trace_id, step) => [
    trace_id,
    step,
    row.skill_id,
    row.status,
    row.timestamp,
    row.record,
    row.params,
    row.params_salt,
    row.outcome_data,
    row.outcome_data_salt,
    row.attributes,
    row.attributes_salt,
    row.leaf_hash,
    row.link,
  ];
  return {
    each: async (runs, steps, insertsOfAnAct = 1) => {
      const ids = Array.from({ length: runs }, () => randomUUID());
      await inRuns(runs, steps * insertsOfAnAct, async (run, step) => {
        await pool.query({ name: "insert", text: INSERT, values: values(ids[run], step) });
      });
      return runs * steps;
    },
    bulk: async (steps) => {
      const trace_id = randomUUID();
      const rows = Array.from({ length: steps }, (_, step) => values(trace_id, step));
      const columns = rows[0].map((_, at) => rows.map((of) => of[at]));
      await pool.query({
        text: `insert into plain_steps (trace_id, step_index, skill_id, status, "timestamp", record, params, params_salt, outcome_data, outcome_data_salt, attributes, attributes_salt, leaf_hash, link)
          select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])`,
        values: columns,
      });
      return steps;
    },
    end: () => pool.end(),
  };
};

/** One event a step, each stream appended to by one run. */
export const emmettAppends = async (url, act) => {
  const store = getPostgreSQLEventStore(url);
  await store.schema.migrate();
  return {
    each: (runs, steps) => {
      const names = Array.from({ length: runs }, () => randomUUID());
      return inRuns(runs, steps, (run) =>
        store.appendToStream(names[run], [{ type: "StepRecorded", data: act }]),
      );
    },
    end: () => store.close(),
  };
};

/** One workflow a run, one step an act, whose result is what is kept. */
export const dbosSteps = async (url, act, connections) => {
  DBOS.setConfig({
    name: "benchmark",
    systemDatabaseUrl: url,
    systemDatabasePoolSize: connections,
    logLevel: "error",
    runAdminServer: false,
  });
  const workflow = DBOS.registerWorkflow(
    async (steps) => {
      for (let step = 0; step < steps; step += 1)
        await DBOS.runStep(async () => act, { name: "act" });
    },
    { name: "run" },
  );
  await DBOS.launch();
  return {
    each: async (runs, steps) => {
      await Promise.all(Array.from({ length: runs }, () => workflow(steps)));
      return runs * steps;
    },
    end: () => DBOS.shutdown(),
  };
};

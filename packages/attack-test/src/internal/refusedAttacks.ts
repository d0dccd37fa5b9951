/** What the database refuses when it is tried: rows 15 to 17 of the table, as far as they are prevented. */
import { leafHash, nextLink } from "@runproof/proof/Chain";
import type { RefusedAttack } from "./Attack.ts";
import { editRecord, text } from "./Forgery.ts";

const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** SQLSTATEs: the schema's own, and PostgreSQL's for a right that is not held. */
const EVIDENCE_WOULD_CHANGE = "S6001";
const NOT_THE_NEXT = "S6003";
const IS_TAKEN = "23505";
const NO_RIGHT = "42501";

/** All attacks that are refused. */
export const refusedAttacks: ReadonlyArray<RefusedAttack> = [
  {
    kind: "refused",
    row: 15,
    way: "session_replication_role = replica, then an UPDATE",
    expected: EVIDENCE_WOULD_CHANGE,
    attempt: {
      login: "superuser",
      statement: ({ sealed }, random) => {
        const step = random.pick(random.pick(sealed).steps);
        return `do $do$ begin
          perform set_config('session_replication_role', 'replica', true);
          update aos_trace_steps set skill_name = 'another'
            where trace_id = ${literal(text(step, "trace_id"))} and step_index = ${text(step, "step_index")};
        end $do$`;
      },
    },
  },
  {
    kind: "refused",
    row: 15,
    way: "TRUNCATE",
    expected: EVIDENCE_WOULD_CHANGE,
    attempt: {
      login: "superuser",
      statement: (_, random) =>
        `truncate ${random.pick(["aos_traces", "aos_trace_steps", "aos_log_entries", "aos_checkpoints"])}`,
    },
  },
  {
    kind: "refused",
    row: 16,
    way: "two appends after the same head",
    expected: "ChainMoved",
    attempt: "two appends",
  },
  {
    kind: "refused",
    row: 16,
    way: "a second step with an index that is taken, as superuser",
    expected: IS_TAKEN,
    attempt: {
      login: "superuser",
      statement: ({ open }, random) => {
        const step = random.pick(random.pick(open).steps);
        return `insert into aos_trace_steps select * from aos_trace_steps
          where trace_id = ${literal(text(step, "trace_id"))} and step_index = ${text(step, "step_index")}`;
      },
    },
  },
  {
    kind: "refused",
    row: 16,
    way: "a step put in behind the last one, as superuser",
    expected: NOT_THE_NEXT,
    attempt: {
      login: "superuser",
      statement: ({ open }, random) => {
        const { steps } = random.pick(open);
        const step = steps.at(-1)!;
        const next = { step_index: steps.length };
        const record = editRecord(text(step, "record"), next);
        const row = { ...step, ...next, record, leaf_hash: leafHash(record) };
        const link = nextLink(text(step, "link"), row.leaf_hash);
        const json = literal(JSON.stringify({ ...row, link }));
        return `insert into aos_trace_steps select * from jsonb_populate_record(null::aos_trace_steps, ${json}::jsonb)`;
      },
    },
  },
  {
    kind: "refused",
    row: 16,
    way: "an INSERT past the functions, as the application",
    expected: NO_RIGHT,
    attempt: {
      login: "application",
      statement: ({ open }, random) => {
        const trace_id = literal(text(random.pick(open).trace, "trace_id"));
        return `insert into aos_trace_steps select * from aos_trace_steps where trace_id = ${trace_id}`;
      },
    },
  },
  {
    kind: "refused",
    row: 17,
    way: "the status set to completed, as the application",
    expected: NO_RIGHT,
    attempt: {
      login: "application",
      statement: ({ open }, random) =>
        `update aos_traces set status = 'completed' where trace_id = ${literal(text(random.pick(open).trace, "trace_id"))}`,
    },
  },
  {
    kind: "refused",
    row: 17,
    way: "the status set to completed, as superuser",
    expected: EVIDENCE_WOULD_CHANGE,
    attempt: {
      login: "superuser",
      statement: ({ open }, random) =>
        `update aos_traces set status = 'completed' where trace_id = ${literal(text(random.pick(open).trace, "trace_id"))}`,
    },
  },
  {
    kind: "refused",
    row: 17,
    way: "a seal of completed after the lease is over",
    expected: "LeaseLost",
    attempt: "complete after the lease",
  },
  {
    kind: "refused",
    row: 17,
    way: "a seal of completed after recovery aborted the run",
    expected: "TraceSealed",
    attempt: "complete after the sweep",
  },
];

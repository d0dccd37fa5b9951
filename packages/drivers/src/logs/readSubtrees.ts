import * as PgTypes from "@effect/sql-pg/PgTypes";
import type { TreeNode } from "@runproof/proof/ProofPlan";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import { STEPS, TRACES } from "../internal/postgres/EvidenceTables.ts";

/** The step whose leaf is a subtree's last: leaf 0 is the trace record's, so that step -1 stands for it. */
const lastStep = ({ level, index }: TreeNode): number => (index + 1) * 2 ** level - 2;

const integerArray = (values: ReadonlyArray<number>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array(values.map(BigInt), PgTypes.OID.int8));

/**
 * Reads hashes of complete subtrees of a trace's tree, one row each, as whoever appended the steps stored them: null where
 * one is not there. They are no evidence until what is made of them is compared with a sealed root.
 */
export const readSubtrees = (
  sql: SqlClient,
  { trace_id, nodes }: { readonly trace_id: string; readonly nodes: ReadonlyArray<TreeNode> },
): Effect.Effect<ReadonlyArray<string | null>, SqlError> =>
  sql<{ hash: string | null }>`
    select case
        when n.step_index = -1 then (select t.leaf_hash from ${sql.literal(TRACES)} t where t.trace_id = ${trace_id} limit 1)
        else (select case n.level when 0 then s.leaf_hash
                          else nullif(encode(substr(s.subtrees, (n.level::int - 1) * 32 + 1, 32), 'hex'), '') end
              from ${sql.literal(STEPS)} s
              where s.trace_id = ${trace_id} and s.step_index = n.step_index limit 1) end as hash
    from unnest(${integerArray(nodes.map(({ level }) => level))}, ${integerArray(nodes.map(lastStep))})
      with ordinality as n(level, step_index, place)
    order by n.place`.pipe(Effect.map((rows) => rows.map(({ hash }) => hash)));

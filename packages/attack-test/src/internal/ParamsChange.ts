/** A change of a step's stored params, for a demonstration of what is refused and what is found. */
import { DatabaseFailed, InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as SqlClient from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import type { Database } from "@runproof/drivers/Database";
import { asOwner } from "./asOwner.ts";

/** A change of a step's stored params: the first `from` in their text becomes `to`. */
export interface ParamsChange {
  readonly trace_id: string;
  readonly step_index: number;
  readonly from: string;
  readonly to: string;
}

/** Tries the change with the application's rights; answers with what words the database refused it. */
export const changeParamsAsApplication =
  ({ sql }: Database["Service"]) =>
  (change: ParamsChange): Effect.Effect<string, DatabaseFailed> =>
    updateParams(change).pipe(
      Effect.provideService(SqlClient.SqlClient, sql),
      Effect.matchEffect({
        onFailure: (error) => Effect.succeed(messageOf(error)),
        onSuccess: () =>
          Effect.fail(
            new DatabaseFailed({
              operation: "changeParamsAsApplication",
              detail: "the database let the application change evidence",
            }),
          ),
      }),
    );

/** Makes the change as a superuser, past the triggers, and leaves them as they were; answers the statements run. */
export const changeParamsPastTriggers =
  (database: Database["Service"]) =>
  (change: ParamsChange): Effect.Effect<ReadonlyArray<string>, DatabaseFailed | InvalidInput> =>
    asOwner(database)(pastTriggers(change)).pipe(Effect.catchTag("SqlError", failed));

const messageOf = (error: SqlError): string => {
  const cause = error.reason.cause;
  return cause instanceof Error ? cause.message : error.message;
};

const failed = (error: SqlError) =>
  Effect.fail(
    new DatabaseFailed({ operation: "changeParamsPastTriggers", detail: messageOf(error) }),
  );

const updateParams = Effect.fnUntraced(function* (change: ParamsChange) {
  const sql = yield* SqlClient.SqlClient;
  return yield* sql.unsafe<{ readonly params: string }>(updateStatement(change));
});

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** As a person would type it, so that what is shown is what was run. */
const updateStatement = ({ trace_id, step_index, from, to }: ParamsChange): string =>
  `update aos_trace_steps
   set params = replace(params, ${literal(from)},
                                ${literal(to)})
 where trace_id = ${literal(trace_id)}
   and step_index = ${step_index}
returning params`;

/** `O`, `D`, `R` and `A` are how PostgreSQL's catalog says when a trigger fires. */
const enable = { O: "enable", D: "disable", R: "enable replica", A: "enable always" } as const;

const pastTriggers = Effect.fnUntraced(function* (change: ParamsChange) {
  const sql = yield* SqlClient.SqlClient;
  const triggers = yield* sql<{ readonly name: string; readonly fires: keyof typeof enable }>`
    select tgname as name, tgenabled as fires from pg_trigger
     where tgrelid = 'aos_trace_steps'::regclass and not tgisinternal
     order by tgname`;
  const disable = "alter table aos_trace_steps disable trigger user";
  const restore = triggers.map(
    ({ name, fires }) => `alter table aos_trace_steps ${enable[fires]} trigger ${name}`,
  );
  yield* sql.unsafe(disable);
  const [changed] = yield* updateParams(change);
  yield* Effect.forEach(restore, (statement) => sql.unsafe(statement));
  if (changed === undefined || !changed.params.includes(change.to)) {
    return yield* new InvalidInput({
      what: `the params hold no ${change.from}`,
      where: `step ${change.step_index} of trace ${change.trace_id}`,
      remedy: "Name a text that is in the step's params.",
    });
  }
  return [disable, updateStatement(change), ...restore];
});

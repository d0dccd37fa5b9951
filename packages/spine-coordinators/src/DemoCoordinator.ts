/** What the demonstration does to stored evidence, to show what is refused and what is found. Embedded databases only. */
import { Database } from "@runproof/drivers/Database";
import {
  ConfigurationInvalid,
  DatabaseFailed,
  InvalidInput,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as SqlClient from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** A change of a step's stored params: the first `from` in their text becomes `to`. */
export interface ChangeParams {
  readonly trace_id: string;
  readonly step_index: number;
  readonly from: string;
  readonly to: string;
}

/** Attempts to change evidence. */
export class DemoCoordinator extends Context.Service<
  DemoCoordinator,
  {
    /** Tries the change with the application's rights; answers with what words the database refused it. */
    readonly changeAsApplication: (
      change: ChangeParams,
    ) => Effect.Effect<string, ConfigurationInvalid | DatabaseFailed>;
    /** Makes the change as a superuser, past the triggers, and leaves them as they were; answers the statements run. */
    readonly changeAsSuperuser: (
      change: ChangeParams,
    ) => Effect.Effect<ReadonlyArray<string>, ConfigurationInvalid | DatabaseFailed | InvalidInput>;
  }
>()("@runproof/spine-coordinators/DemoCoordinator") {
  static readonly layer: Layer.Layer<DemoCoordinator, never, Database> = Layer.effect(
    DemoCoordinator,
    Effect.map(Database, (database) => {
      const guarded = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        database.kind === "embedded"
          ? effect
          : Effect.fail(
              new ConfigurationInvalid({
                setting: "DATABASE_URL",
                what: "the demonstration changes stored evidence, and never on a server",
                remedy: "Unset DATABASE_URL for the demonstration; it uses an embedded database.",
              }),
            );
      return {
        changeAsApplication: (change) =>
          guarded(
            updateParams(change).pipe(
              Effect.provideService(SqlClient.SqlClient, database.sql),
              Effect.matchEffect({
                onFailure: (error) => Effect.succeed(messageOf(error)),
                onSuccess: () =>
                  Effect.fail(
                    new DatabaseFailed({
                      operation: "changeAsApplication",
                      detail: "the database let the application change evidence",
                    }),
                  ),
              }),
            ),
          ),
        changeAsSuperuser: (change) =>
          guarded(database.asOwner(pastTriggers(change)).pipe(Effect.catchTag("SqlError", failed))),
      };
    }),
  );
}

const messageOf = (error: SqlError): string => {
  const cause = error.reason.cause;
  return cause instanceof Error ? cause.message : error.message;
};

const failed = (error: SqlError) =>
  Effect.fail(new DatabaseFailed({ operation: "changeAsSuperuser", detail: messageOf(error) }));

const updateParams = Effect.fnUntraced(function* (change: ChangeParams) {
  const sql = yield* SqlClient.SqlClient;
  return yield* sql.unsafe<{ readonly params: string }>(updateStatement(change));
});

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** As a person would type it, so that what is shown is what was run. */
const updateStatement = ({ trace_id, step_index, from, to }: ChangeParams): string =>
  `update aos_trace_steps
   set params = replace(params, ${literal(from)},
                                ${literal(to)})
 where trace_id = ${literal(trace_id)}
   and step_index = ${step_index}
returning params`;

/** `O`, `D`, `R` and `A` are how PostgreSQL's catalog says when a trigger fires. */
const enable = { O: "enable", D: "disable", R: "enable replica", A: "enable always" } as const;

const pastTriggers = Effect.fnUntraced(function* (change: ChangeParams) {
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

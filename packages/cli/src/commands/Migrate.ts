/** `runproof migrate`: the schema to head. */
import * as Command from "effect/cli/Command";
import * as Effect from "effect/Effect";
import * as Options from "../Options.ts";
import { Output, printJson } from "../Output.ts";
import * as Progress from "../Progress.ts";
import { root } from "../Root.ts";
import { load, withSchema } from "../Runproof.ts";

export const command = Command.make(
  "migrate",
  Options.database,
  Effect.fnUntraced(function* (location) {
    const { json } = yield* root;
    const output = yield* Output;
    const { SchemaCoordinator } = yield* load(
      () => import("@runproof/spine-coordinators/schema/SchemaCoordinator"),
    );
    const applied = yield* withSchema(
      location,
      Effect.flatMap(SchemaCoordinator, (coordinator) =>
        Progress.during("migrating", null, () => coordinator.migrate()),
      ),
    );
    if (json) return yield* printJson({ applied });
    if (applied.length === 0) return yield* output.note("the schema is at head; nothing to apply");
    yield* output.data(applied.map(({ id, name }) => `applied  ${id}  ${name}`).join("\n"));
  }),
).pipe(Command.withDescription("Bring the database's schema to head"));

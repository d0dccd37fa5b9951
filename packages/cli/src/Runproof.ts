/** The coordinators, for the commands that need a database. Loaded when such a command runs, so that the others start fast. */
import type { LogSigner } from "@runproof/spine-coordinators/ledger/LedgerBridge";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Progress from "./Progress.ts";

/** Where the database is: a flag, else the environment variable, else the embedded default. */
export interface Location {
  readonly databaseUrl?: string | undefined;
  readonly home?: string | undefined;
  readonly requireServer?: boolean | undefined;
}

/** Loads a module when it is needed. One that can't be loaded is a broken installation, and a defect. */
export const load = <A>(module: () => Promise<A>): Effect.Effect<A> => Effect.promise(module);

const layers = load(() => import("@runproof/spine-coordinators/RunproofLayer"));

/** Opens the database and gives `work` the coordinators; closes it when `work` ends, however it ends. */
export const withRunproof = Effect.fnUntraced(function* <A, E, R>(
  location: Location,
  work: Effect.Effect<A, E, R>,
) {
  const { fromEnvironment } = yield* layers;
  const context = yield* Progress.during("opening the database", null, () =>
    Layer.build(fromEnvironment(location)),
  );
  return yield* Effect.provideContext(work, context);
}, Effect.scoped);

/** The same for who looks at what is stored: a database that is not there is not made, and nothing in it is swept. */
export const withStored = Effect.fnUntraced(function* <A, E, R>(
  location: Location,
  work: Effect.Effect<A, E, R>,
) {
  const { readingFromEnvironment } = yield* layers;
  const context = yield* Progress.during("opening the database", null, () =>
    Layer.build(readingFromEnvironment(location)),
  );
  return yield* Effect.provideContext(work, context);
}, Effect.scoped);

/** The same for who changes sealed evidence: as the operator's role. */
export const withOperated = Effect.fnUntraced(function* <A, E, R>(
  location: Location,
  work: Effect.Effect<A, E, R>,
) {
  const { operatingFromEnvironment } = yield* layers;
  const context = yield* Progress.during("opening the database", null, () =>
    Layer.build(operatingFromEnvironment(location)),
  );
  return yield* Effect.provideContext(work, context);
}, Effect.scoped);

/** Gives `work` the coordinator of the schema, which needs no database that is at head, or even one that answers. */
export const withSchema = Effect.fnUntraced(function* <A, E, R>(
  location: Location,
  work: Effect.Effect<A, E, R>,
) {
  const { schemaFromEnvironment } = yield* layers;
  return yield* Effect.provide(work, schemaFromEnvironment(location));
});

/** Gives `work` the log's signer, which needs no database. */
export const withSigner = Effect.fnUntraced(function* <A, E, R>(
  location: Location,
  work: (signer: LogSigner) => Effect.Effect<A, E, R>,
) {
  const { signerFromEnvironment } = yield* layers;
  return yield* work(yield* signerFromEnvironment(location));
});

/** The run store on PostgreSQL. */
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { Database } from "./Database.ts";
import { readRunStatus } from "./internal/postgres/readRunStatus.ts";
import { storeRun } from "./internal/postgres/storeRun.ts";
import { RunStore } from "./RunStore.ts";

/** Provides `RunStore` from an open `Database`. */
export const layer: Layer.Layer<RunStore, never, Database> = Layer.effect(
  RunStore,
  Effect.map(Database, (database) =>
    RunStore.of({ store: storeRun(database), status: readRunStatus(database) }),
  ),
);

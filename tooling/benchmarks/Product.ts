/** The product as a program has it, over a database of the benchmark's server. */
import * as Database from "@runproof/drivers/Database";
import type { Coordinators } from "@runproof/spine-coordinators/RunproofLayer";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import * as TracedRun from "@runproof/spine-coordinators/runs/TracedRun";
import { createDatabase } from "@runproof/tooling/PostgresServer";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as ManagedRuntime from "effect/ManagedRuntime";
import * as Redacted from "effect/Redacted";
import { OUTCOME, PARAMS, SKILL_ID } from "./Act.ts";

export const TENANT_ID = "benchmark";

/** A migrated database of its own, and the coordinators over it. */
export interface Product {
  readonly url: string;
  readonly run: <A, E>(
    program: Effect.Effect<A, E, Coordinators | Database.Database>,
  ) => Promise<A>;
  readonly end: () => Promise<void>;
}

export const openProduct = async (serverUrl: string): Promise<Product> => {
  const database = await createDatabase(serverUrl);
  const config = { kind: "server", url: Redacted.make(database.url) } as const;
  await Effect.runPromise(Database.migrateDatabase(config));
  const product = connectProduct(database.url);
  return {
    ...product,
    end: async () => {
      await product.end();
      await database.drop();
    },
  };
};

/** Coordinators over a database that is there, with connections of their own, as another process has them. */
export const connectProduct = (url: string): Product => {
  const config = { kind: "server", url: Redacted.make(url) } as const;
  const runtime = ManagedRuntime.make(
    RunproofLayer.layer().pipe(Layer.provideMerge(Database.Database.layer(config))),
  );
  return {
    url,
    run: (program) => runtime.runPromise(program),
    end: () => runtime.dispose(),
  };
};

const act = TracedRun.step({ skill_id: SKILL_ID, params: PARAMS }, Effect.succeed(OUTCOME));

/** Runs beside each other, each with so many acts, one after the other: started, recorded, sealed. */
export const tracedRuns = (capture: "gated" | "inline", runs: number, steps: number) =>
  Effect.forEach(
    Array.from({ length: runs }),
    () =>
      TracedRun.run(
        { tenant_id: TENANT_ID, capture },
        Effect.forEach(Array.from({ length: steps }), () => act, { discard: true }),
      ),
    { concurrency: "unbounded", discard: true },
  ).pipe(Effect.as(runs * steps));

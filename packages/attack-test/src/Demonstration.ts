/**
 * A database of the demonstration's own, with what is done to its evidence: what is refused, and what is found. Whatever
 * the environment says, it lies in a new folder, for the evidence in it is changed.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, type OpenError } from "@runproof/drivers/Database";
import { logSignerConfig } from "@runproof/drivers/LogSigner";
import type {
  ConfigurationInvalid,
  DatabaseFailed,
  InvalidInput,
} from "@runproof/schemas/RunProofError";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import {
  changeParamsAsApplication,
  changeParamsPastTriggers,
  type ParamsChange,
} from "./internal/ParamsChange.ts";

/** Attempts to change evidence. */
export class Demonstration extends Context.Service<
  Demonstration,
  {
    /** The folder of the database, which stays when the demonstration is over. */
    readonly home: string;
    /** Tries the change with the application's rights; answers with what words the database refused it. */
    readonly changeAsApplication: (change: ParamsChange) => Effect.Effect<string, DatabaseFailed>;
    /** Makes the change as a superuser, past the triggers, and leaves them as they were; answers the statements run. */
    readonly changeAsSuperuser: (
      change: ParamsChange,
    ) => Effect.Effect<ReadonlyArray<string>, DatabaseFailed | InvalidInput>;
  }
>()("@runproof/attack-test/Demonstration") {
  /** Makes the folder and the database in it, with the coordinators over it. */
  static readonly layer: Layer.Layer<
    Demonstration | RunproofLayer.Coordinators,
    OpenError | ConfigurationInvalid
  > = Layer.unwrap(
    Effect.map(
      Effect.promise(() => mkdtemp(join(tmpdir(), "runproof-demo-"))),
      (home) => {
        const config = { kind: "embedded", home } as const;
        return Layer.effect(
          Demonstration,
          Effect.map(Database, (database) =>
            Demonstration.of({
              home,
              changeAsApplication: changeParamsAsApplication(database),
              changeAsSuperuser: changeParamsPastTriggers(database),
            }),
          ),
        ).pipe(
          Layer.merge(RunproofLayer.layer([], logSignerConfig({}, config))),
          Layer.provide(Database.layer(config)),
        );
      },
    ),
  );
}

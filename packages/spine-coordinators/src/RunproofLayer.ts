/** Everything a program needs to record, prove and read runs, composed. */
import {
  Database,
  databaseConfig,
  type DatabaseConfig,
  type OpenError,
} from "@runproof/drivers/Database";
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem";
import {
  type LogSigner,
  logSigner,
  type LogSignerConfig,
  logSignerConfig,
  noKeyConfigured,
} from "@runproof/drivers/LogSigner";
import type { Skill } from "@runproof/drivers/Skill";
import { ConfigurationInvalid, type DatabaseMissing } from "@runproof/schemas/RunProofError";
import * as Config from "effect/Config";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { ControlsBridge } from "./controls/ControlsBridge.ts";
import { ErasureCoordinator } from "./controls/ErasureCoordinator.ts";
import { OperatorBridge } from "./controls/OperatorBridge.ts";
import { RetentionCoordinator } from "./controls/RetentionCoordinator.ts";
import { EventCoordinator } from "./events/EventCoordinator.ts";
import { EvidenceExportCoordinator } from "./evidence/EvidenceExportCoordinator.ts";
import { RunEvidenceCoordinator } from "./evidence/RunEvidenceCoordinator.ts";
import { IdentitiesBridge } from "./identities/IdentitiesBridge.ts";
import { IdentityCoordinator } from "./identities/IdentityCoordinator.ts";
import { ImportCoordinator } from "./import/ImportCoordinator.ts";
import { HookCoordinator } from "./ingest/HookCoordinator.ts";
import { IngestCoordinator } from "./ingest/IngestCoordinator.ts";
import { KeyCoordinator } from "./ledger/KeyCoordinator.ts";
import { LedgerBridge } from "./ledger/LedgerBridge.ts";
import { LogCoordinator } from "./ledger/LogCoordinator.ts";
import { IncidentsBridge } from "./incidents/IncidentsBridge.ts";
import { PoliciesBridge } from "./policies/PoliciesBridge.ts";
import { PolicyCoordinator } from "./policies/PolicyCoordinator.ts";
import { Holders, holdersUnder } from "./logs/Holder.ts";
import { LogsBridge } from "./logs/LogsBridge.ts";
import { RecordingCoordinator } from "./logs/RecordingCoordinator.ts";
import { ParityCoordinator } from "./replay/ParityCoordinator.ts";
import { ReplayCoordinator } from "./replay/ReplayCoordinator.ts";
import { RunCoordinator } from "./runs/RunCoordinator.ts";
import { RunProofCoordinator } from "./proof/RunProofCoordinator.ts";
import type { SchemaCoordinator } from "./schema/SchemaCoordinator.ts";
import * as SchemaLayer from "./schema/SchemaLayer.ts";
import * as Sequencer from "./ledger/Sequencer.ts";
import { SignalFeedbackCoordinator } from "./signals/SignalFeedbackCoordinator.ts";
import { SkillsBridge } from "./skills/SkillsBridge.ts";
import * as Sweeper from "./logs/Sweeper.ts";
import { TraceCoordinator } from "./logs/TraceCoordinator.ts";
import { ValidationCoordinator } from "./validation/ValidationCoordinator.ts";

/** Where the database is. What is left out is read from the environment. */
export interface RunproofSettings {
  /** Instead of `DATABASE_URL`. */
  readonly databaseUrl?: string | undefined;
  /** Instead of `RUNPROOF_HOME`: the folder of the embedded database. Given alone, it wins over `DATABASE_URL`. */
  readonly home?: string | undefined;
  /** Refuses the embedded database, as `USE_POSTGRES_TRACES=true` does. */
  readonly requireServer?: boolean | undefined;
  /** What a service's processes derive the holders of their traces from, so that each goes on with the others' runs. */
  readonly holder_secret?: string | undefined;
  /** Skills that plans may call, beside `http_call`. */
  readonly skills?: ReadonlyArray<Skill> | undefined;
}

/** What the layer provides: the coordinators, the bridges that `TracedRun` records through, and the door to an operator's role. */
export type Coordinators =
  | RunCoordinator
  | RunProofCoordinator
  | ParityCoordinator
  | ReplayCoordinator
  | TraceCoordinator
  | ImportCoordinator
  | ValidationCoordinator
  | LogCoordinator
  | KeyCoordinator
  | SignalFeedbackCoordinator
  | RunEvidenceCoordinator
  | EvidenceExportCoordinator
  | EventCoordinator
  | PolicyCoordinator
  | IdentityCoordinator
  | RecordingCoordinator
  | HookCoordinator
  | IngestCoordinator
  | RetentionCoordinator
  | ErasureCoordinator
  | OperatorBridge
  | LogsBridge
  | PoliciesBridge
  | IncidentsBridge;

/**
 * The coordinators over an open database; beside them a sweeper of dead runs, and a sequencer of the log. Without a
 * signer everything but signing works.
 */
export const layer = (
  skills: ReadonlyArray<Skill> = [],
  signer: LogSignerConfig | ConfigurationInvalid = noKeyConfigured(),
): Layer.Layer<Coordinators, ConfigurationInvalid, Database> =>
  Layer.mergeAll(Sweeper.layer, Sequencer.layer).pipe(
    Layer.provideMerge(readingLayer(skills, signer)),
  );

/** The same for who reads: nothing is swept, and nothing numbered. */
const readingLayer = (
  skills: ReadonlyArray<Skill>,
  signer: LogSignerConfig | ConfigurationInvalid,
): Layer.Layer<Coordinators | LedgerBridge, ConfigurationInvalid, Database> => {
  const bridges = Layer.mergeAll(
    LogsBridge.layer,
    LedgerBridge.layer(signer),
    PoliciesBridge.layer,
    IncidentsBridge.layer,
    OperatorBridge.layer,
  );
  const coordinators = Layer.mergeAll(
    Layer.mergeAll(RunCoordinator.layer, ReplayCoordinator.layer).pipe(
      Layer.provide(SkillsBridge.layer(skills)),
    ),
    PolicyCoordinator.layer,
    Layer.mergeAll(
      RunEvidenceCoordinator.layer,
      EvidenceExportCoordinator.layer,
      EventCoordinator.layer,
    ).pipe(Layer.provideMerge(TraceCoordinator.layer)),
    ImportCoordinator.layer.pipe(Layer.provide(NodeFileSystem.layer)),
    ValidationCoordinator.layer,
    KeyCoordinator.layer,
    SignalFeedbackCoordinator.layer,
    Layer.mergeAll(IngestCoordinator.layer, HookCoordinator.layer).pipe(
      Layer.provideMerge(RecordingCoordinator.layer),
    ),
    IdentityCoordinator.layer.pipe(Layer.provide(IdentitiesBridge.layer)),
    ParityCoordinator.layer,
    Layer.mergeAll(RetentionCoordinator.layer, ErasureCoordinator.layer).pipe(
      Layer.provide(ControlsBridge.layer),
    ),
  );
  return coordinators.pipe(
    Layer.provideMerge(RunProofCoordinator.layer),
    Layer.provideMerge(LogCoordinator.layer),
    Layer.provideMerge(bridges),
  );
};

/**
 * Opens the database that settings and the environment name, and provides the coordinators over it. A server that is not
 * at head is `SchemaMismatch`; the embedded database is brought there.
 */
export const fromEnvironment = (
  settings: RunproofSettings = {},
): Layer.Layer<Coordinators | Database, OpenError | ConfigurationInvalid> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const config = yield* configFromEnvironment(settings);
      const signer = yield* signerConfig(config);
      return layer(settings.skills, signer).pipe(
        Layer.provide(holdersOf(settings)),
        Layer.provideMerge(Database.layer(config)),
      );
    }),
  );

const holdersOf = ({ holder_secret }: RunproofSettings) =>
  Layer.succeed(Holders, holder_secret === undefined ? null : holdersUnder(holder_secret));

/**
 * Opens a database that is there, to look at it: none is made, none is brought to its head, and no run is swept. An
 * embedded database that is missing is `DatabaseMissing`.
 */
export const readingFromEnvironment = (
  settings: RunproofSettings = {},
): Layer.Layer<Coordinators | Database, OpenError | ConfigurationInvalid | DatabaseMissing> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const config = yield* configFromEnvironment(settings);
      const signer = yield* signerConfig(config);
      return readingLayer(settings.skills ?? [], signer).pipe(
        Layer.provideMerge(Database.existing(config)),
      );
    }),
  );

/** What an operator's commands need: the coordinators that change sealed evidence, policies, tenants and keys. */
export type Operators =
  | RetentionCoordinator
  | ErasureCoordinator
  | PolicyCoordinator
  | IdentityCoordinator;

/** Opens a database that is there to operate on it, as the operator's role, and provides what changes sealed evidence. */
export const operatingFromEnvironment = (
  settings: RunproofSettings = {},
): Layer.Layer<Operators | Database, OpenError | ConfigurationInvalid | DatabaseMissing> =>
  Layer.unwrap(
    Effect.map(configFromEnvironment(settings), (config) =>
      Layer.mergeAll(
        RetentionCoordinator.layer,
        ErasureCoordinator.layer,
        PolicyCoordinator.layer,
        IdentityCoordinator.layer,
      ).pipe(
        Layer.provide(
          Layer.mergeAll(ControlsBridge.layer, PoliciesBridge.layer, IdentitiesBridge.layer),
        ),
        // What is archived or deleted has its entry each: they get their places as they come.
        Layer.merge(Sequencer.layer.pipe(Layer.provide(LedgerBridge.layer(noKeyConfigured())))),
        Layer.provideMerge(Database.operating(config)),
      ),
    ),
  );

const signerConfig = Effect.fnUntraced(function* (database: DatabaseConfig) {
  return logSignerConfig(
    {
      RUNPROOF_LOG_KEY: yield* setting("RUNPROOF_LOG_KEY"),
      RUNPROOF_LOG_KEY_FILE: yield* setting("RUNPROOF_LOG_KEY_FILE"),
      RUNPROOF_LOG_STATE_FILE: yield* setting("RUNPROOF_LOG_STATE_FILE"),
    },
    database,
  );
});

/** The signer alone, without a database: enough to make keys and to look at them. */
export const signerFromEnvironment = (
  settings: RunproofSettings = {},
): Effect.Effect<LogSigner, ConfigurationInvalid> =>
  Effect.map(Effect.flatMap(configFromEnvironment(settings), signerConfig), logSigner);

/** Provides `SchemaCoordinator` for the same database, which it opens itself: for a schema that is not at head yet. */
export const schemaFromEnvironment = (
  settings: RunproofSettings = {},
): Layer.Layer<SchemaCoordinator, ConfigurationInvalid> =>
  Layer.unwrap(Effect.map(configFromEnvironment(settings), SchemaLayer.layer));

/** Decides the database from settings and the environment. */
export const configFromEnvironment = (
  settings: RunproofSettings = {},
): Effect.Effect<DatabaseConfig, ConfigurationInvalid> =>
  Effect.gen(function* () {
    for (const [name, value] of [
      ["database URL", settings.databaseUrl],
      ["home folder", settings.home],
    ] as const) {
      if (value?.trim() !== "") continue;
      return yield* new ConfigurationInvalid({
        setting: name,
        what: "it is given, and empty",
        remedy: "Give it a value, or leave it out: the environment decides then.",
      });
    }
    const isHomeChosen = settings.home !== undefined && settings.databaseUrl === undefined;
    const url = isHomeChosen
      ? undefined
      : (settings.databaseUrl ?? (yield* setting("DATABASE_URL")));
    const config = databaseConfig({
      DATABASE_URL: url,
      RUNPROOF_HOME: settings.home ?? (yield* setting("RUNPROOF_HOME")),
      USE_POSTGRES_TRACES:
        settings.requireServer === true ? "true" : yield* setting("USE_POSTGRES_TRACES"),
    });
    return config instanceof ConfigurationInvalid ? yield* config : config;
  });

const setting = (name: string): Effect.Effect<string | undefined, ConfigurationInvalid> =>
  Effect.gen(function* () {
    return Option.getOrUndefined(yield* Config.option(Config.String(name)));
  }).pipe(
    Effect.mapError(
      (error) =>
        new ConfigurationInvalid({
          setting: name,
          what: error.message,
          remedy: `Set ${name} to a text, or unset it.`,
        }),
    ),
  );

/** Every module of the package, each as a namespace; import one alone by its file: `@runproof/drivers/TraceStore`. */
export * as CatalogDrift from "./CatalogDrift.ts";
export * as Database from "./Database.ts";
export * as Doctor from "./Doctor.ts";
export * as HttpCallSkill from "./HttpCallSkill.ts";
export * as EvidenceLimits from "./EvidenceLimits.ts";
export * as LogSigner from "./LogSigner.ts";
export * as Migrations from "./Migrations.ts";
export * as ParamsChange from "./ParamsChange.ts";
export * as PostgresTraceStore from "./PostgresTraceStore.ts";
export * as Skill from "./Skill.ts";
export * as TileFolder from "./TileFolder.ts";
export * as TraceStore from "./TraceStore.ts";

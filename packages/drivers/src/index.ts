/** The modules of the package, each as a namespace; operations lie in files of their own: `@runproof/drivers/logs/startTrace`. */
export * as CatalogDrift from "./CatalogDrift.ts";
export * as Database from "./Database.ts";
export * as Doctor from "./Doctor.ts";
export * as HttpCallSkill from "./HttpCallSkill.ts";
export * as EvidenceLimits from "./EvidenceLimits.ts";
export * as LogSigner from "./LogSigner.ts";
export * as Migrations from "./Migrations.ts";
export * as Skill from "./Skill.ts";
export * as TileFolder from "./TileFolder.ts";

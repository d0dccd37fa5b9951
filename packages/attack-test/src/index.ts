/** All public modules of this package, each under its own name. Importing one by its path loads less. */
export * as AttackLab from "./AttackLab.ts";
export * as AttackTestCoordinator from "./AttackTestCoordinator.ts";
export * as AttackTestLayer from "./AttackTestLayer.ts";
export * as AttackTestTable from "./AttackTestTable.ts";

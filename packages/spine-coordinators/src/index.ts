/** Every module of the package, each as a namespace; import one alone by its file: `@runproof/spine-coordinators/TracedRun`. */
export * as ImportCoordinator from "./ImportCoordinator.ts";
export * as LeasesBridge from "./LeasesBridge.ts";
export * as LogsBridge from "./LogsBridge.ts";
export * as RunCoordinator from "./RunCoordinator.ts";
export * as RunOutcome from "./RunOutcome.ts";
export * as RunProofCoordinator from "./RunProofCoordinator.ts";
export * as RunproofLayer from "./RunproofLayer.ts";
export * as RunsBridge from "./RunsBridge.ts";
export * as SchemaCoordinator from "./SchemaCoordinator.ts";
export * as TraceCoordinator from "./TraceCoordinator.ts";
export * as TracedRun from "./TracedRun.ts";
export * as ValidationCoordinator from "./ValidationCoordinator.ts";
export * as ValidationReport from "./ValidationReport.ts";

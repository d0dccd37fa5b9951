/** Every module of the package, each as a namespace; import one alone by its file: `@runproof/schemas/TraceRecord`. */
export * as AuditReport from "./AuditReport.ts";
export * as Bundle from "./Bundle.ts";
export * as Commitment from "./Commitment.ts";
export * as EventRecord from "./EventRecord.ts";
export * as Finding from "./Finding.ts";
export * as Plan from "./Plan.ts";
export * as Policy from "./Policy.ts";
export * as RunProofError from "./RunProofError.ts";
export * as RunProofResult from "./RunProofResult.ts";
export * as SealRecord from "./SealRecord.ts";
export * as StepRecord from "./StepRecord.ts";
export * as Text from "./Text.ts";
export * as Timestamp from "./Timestamp.ts";
export * as TraceRecord from "./TraceRecord.ts";

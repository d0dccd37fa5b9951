/** Every module of the package, each as a namespace; import one alone by its file: `@runproof/proof/CanonicalJson`. */
export * as CanonicalJson from "./CanonicalJson.ts";
export * as Chain from "./Chain.ts";
export * as Hash from "./Hash.ts";
export * as LegacyRoot from "./LegacyRoot.ts";
export * as MerkleTree from "./MerkleTree.ts";
export * as Payload from "./Payload.ts";
export * as RecordInvalid from "./RecordInvalid.ts";
export * as Refusal from "./Refusal.ts";
export * as SealRecord from "./SealRecord.ts";
export * as StepRecord from "./StepRecord.ts";
export * as Timestamp from "./Timestamp.ts";
export * as TraceRecord from "./TraceRecord.ts";
export * as JsonText from "./JsonText.ts";
export * as StoredRun from "./StoredRun.ts";

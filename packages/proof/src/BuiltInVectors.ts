/** The format's own vectors, made by an independent implementation: the self-check of an installed copy. */
import vectors from "./vectors.json" with { type: "json" };
import { checkVectors, type VectorsReport } from "./Vectors.ts";

/** Checks this implementation against the built-in vectors: whole traces, then cases of intents and outcomes. */
export const checkBuiltInVectors = (): VectorsReport => {
  const reports = [vectors.traces, vectors.intents].map(checkVectors);
  return {
    passed: reports.reduce((sum, report) => sum + report.passed, 0),
    failed: reports.reduce((sum, report) => sum + report.failed, 0),
    failures: reports.flatMap((report) => report.failures),
  };
};

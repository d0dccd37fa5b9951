/** Goal: thousands of findings of one kind, or of one run, hide none of another. Method: the tally alone, fed by hand. */
import {
  AuditTally,
  finding,
  FINDINGS_OF_A_CODE_MAX,
  FINDINGS_OF_A_RUN_MAX,
} from "../src/audit/internal/AuditTally.ts";
import { expect, it } from "vitest";

const ofRun = (run_id: string, code: "COLUMN_MISMATCH" | "CONTENT_MISMATCH", count: number) =>
  Array.from({ length: count }, () => finding({ code, run_id, message: code }));

const failed = (findings: ReturnType<typeof ofRun>) => ({
  state: "failed" as const,
  steps: 1,
  findings,
  findings_omitted: 0,
  payloads_erased: 0,
  outcomes_unknown: 0,
  logged_at: null,
});

it("lists some findings of every run and every code, and counts all of them", () => {
  const tally = new AuditTally();
  const loud = FINDINGS_OF_A_RUN_MAX * 3;
  const runs = FINDINGS_OF_A_CODE_MAX / FINDINGS_OF_A_RUN_MAX + 20;
  for (let run = 0; run < runs; run += 1) {
    tally.addTrace(failed(ofRun(`run-${run}`, "COLUMN_MISMATCH", loud)), 0);
  }
  tally.addTrace(failed(ofRun("rewritten", "CONTENT_MISMATCH", 1)), 0);
  tally.find({ code: "ORPHAN_ROWS", message: "gone" });

  const listed = (code: string) => tally.findings.filter((found) => found.code === code);
  expect(listed("CONTENT_MISMATCH")).toMatchObject([{ run_id: "rewritten" }]);
  expect(listed("ORPHAN_ROWS")).toHaveLength(1);
  expect(listed("COLUMN_MISMATCH")).toHaveLength(FINDINGS_OF_A_CODE_MAX);
  // One run's share leaves room for a hundred others.
  expect(new Set(listed("COLUMN_MISMATCH").map(({ run_id }) => run_id)).size).toBe(
    FINDINGS_OF_A_CODE_MAX / FINDINGS_OF_A_RUN_MAX,
  );
  expect(tally.byCode.get("COLUMN_MISMATCH")).toBe(runs * loud);
  expect(tally.omitted).toBe(runs * loud - FINDINGS_OF_A_CODE_MAX);
  expect(tally.isClean).toBe(false);
});

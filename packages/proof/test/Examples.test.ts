/** Goal: the examples of the README do what it says. Method: they are run, and compared with the README's text. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { recordRun } from "../examples/record-a-run.ts";
import { verifyFile } from "../examples/verify-a-bundle.ts";

describe("the README's examples", () => {
  it("record a run, and verify it until a digit is changed", () => {
    const folder = mkdtempSync(join(tmpdir(), "runproof-"));
    try {
      const path = join(folder, "run.runproof.json");
      const text = recordRun({ body: "answer 42" });
      writeFileSync(path, text);
      expect(verifyFile(path)).toBe("VERIFIED COMPLETE SELF");
      expect(verifyFile(path, [])).toContain("FAILED COMPLETE null\nNOT_IN_LOG");
      writeFileSync(path, text.replace("answer 42", "answer 43"));
      expect(verifyFile(path)).toContain("FAILED COMPLETE null\nPAYLOAD_MISMATCH: step 0");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("stand in it as they are", () => {
    const root = join(import.meta.dirname, "..");
    const readme = readFileSync(join(root, "README.md"), "utf8");
    for (const file of readdirSync(join(root, "examples"))) {
      expect(readme).toContain(
        `\`\`\`ts\n${readFileSync(join(root, "examples", file), "utf8")}\`\`\``,
      );
    }
  });
});

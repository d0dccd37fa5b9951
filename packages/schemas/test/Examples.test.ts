/** Goal: the README's example does what it says. Method: it is run, and compared with the README's text. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { plan, readPlan } from "../examples/read-a-plan.ts";

describe("the README's example", () => {
  it("reads a plan, and refuses an unknown key by its name", () => {
    expect(plan.steps).toHaveLength(1);
    expect(() => readPlan({ ...plan, retries: 1 })).toThrow(/retries/u);
  });

  it("stands in it as it is", () => {
    const root = join(import.meta.dirname, "..");
    const example = readFileSync(join(root, "examples", "read-a-plan.ts"), "utf8");
    expect(readFileSync(join(root, "README.md"), "utf8")).toContain(`\`\`\`ts\n${example}\`\`\``);
  });
});

import type { RunProofResult } from "@runproof/schemas/RunProofResult";
import { describe, expect, it } from "vitest";
import * as Verdict from "../src/Verdict.ts";
import { drawn, screen } from "./screens.ts";

type Drawn = Parameters<typeof Verdict.render>[2];

const verified: Drawn = {
  integrity: {
    model: "HASH_CHAIN",
    root_hash: "ab".repeat(32),
    chain_length: 1,
    verification_status: "VERIFIED",
    failure_reason: null,
  },
  lifecycle: "COMPLETE",
  capture: null,
  assurance: "SELF",
  findings: [],
  notes: ["SELF: as the coordinator says it.", "Two payloads are withheld."],
};

const failed = (findings: RunProofResult["findings"], failure_reason: string): Drawn => ({
  ...verified,
  integrity: { ...verified.integrity, verification_status: "FAILED", failure_reason },
  assurance: null,
  findings,
  notes: [],
});

describe("Verdict", () => {
  it("says what the level shows and what it does not, once, and every other note", () => {
    expect(Verdict.render(screen(80), "run r-1", verified)).toBe(
      drawn(`
        VERIFIED  run r-1
          model      HASH_CHAIN over 1 step
          root       ${"ab".repeat(32)}
          lifecycle  COMPLETE
          assurance  SELF: the records agree with their seal. It does not show that
                     whoever owns the database never rewrote both: a bundle or root kept
                     elsewhere does.
          note       Two payloads are withheld.
      `),
    );
  });

  it("names the step of a finding, and says a single finding once", () => {
    const message = "step 3: params is not what the record commits to";
    const text = Verdict.render(
      screen(80),
      "run r-1",
      failed([{ code: "PAYLOAD_MISMATCH", step_index: 3, message }], message),
    );
    expect(text).toContain(`  • PAYLOAD_MISMATCH ${message}`);
    expect(text.split(message)).toHaveLength(2);
    expect(text).not.toContain("assurance");
  });

  it("gives the reason beside several findings, and the step of a message that does not name it", () => {
    const text = Verdict.render(
      screen(80, { unicode: false }),
      "run r-1",
      failed(
        [
          { code: "LINK_BROKEN", step_index: 1, message: "the link is another" },
          { code: "SEAL_MISMATCH", step_index: null, message: "the seal: the count is 9" },
        ],
        "2 findings",
      ),
    );
    expect(text).toContain("reason     2 findings");
    expect(text).toContain("  * LINK_BROKEN step 1: the link is another");
    expect(text).toContain("  * SEAL_MISMATCH the seal: the count is 9");
  });

  it("shows what a stored text would do to the terminal instead of doing it", () => {
    const finding = { code: "COLUMN_MISMATCH", step_index: 0, message: "step 0: \u001b[8mhidden" };
    const text = Verdict.render(screen(80), "run \u001b]0;x\u0007", failed([finding as never], ""));
    // oxlint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u001b\u0007]/u);
  });

  it("paints VERIFIED green, FAILED red and UNSUPPORTED yellow", () => {
    const paint = (status: RunProofResult["integrity"]["verification_status"]) =>
      Verdict.render(screen(80, { colour: true }), "r", {
        ...verified,
        integrity: { ...verified.integrity, verification_status: status },
      }).slice(0, 5);
    expect([paint("VERIFIED"), paint("FAILED"), paint("UNSUPPORTED")]).toEqual([
      "\u001b[32m",
      "\u001b[31m",
      "\u001b[33m",
    ]);
  });

  it("has an exit code of its own for each verdict", () => {
    expect(
      ["VERIFIED", "FAILED", "UNSUPPORTED"].map((s) => Verdict.exitCode(s as "FAILED")),
    ).toEqual([0, 6, 7]);
  });
});

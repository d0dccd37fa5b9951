import * as Errors from "@runproof/schemas/RunProofError";
import * as Cause from "effect/Cause";
import { describe, expect, it } from "vitest";
import * as ExitCode from "../src/ExitCode.ts";

const of = (error: unknown) => ExitCode.ofCause(Cause.fail(error), false);

describe("ExitCode", () => {
  it.each([
    [new Errors.InvalidInput({ what: "is empty", where: "plan.json", remedy: "Fill it." }), 2],
    [new Errors.ConfigurationInvalid({ setting: "X", what: "is no URL", remedy: "Write one." }), 2],
    [new Errors.FileFailed({ path: "x", what: "no such file", remedy: "Check." }), 2],
    [new Errors.SkillUnknown({ skill_id: "fly", known: ["http_call"] }), 2],
    [new Errors.RunExists({ run_id: "r", tenant_id: "t" }), 2],
    [new Errors.RunNotFound({ run_id: "r", tenant_id: "t" }), 3],
    [new Errors.NotAuthorised({ detail: "no right", remedy: "Ask." }), 4],
    [new Errors.DatabaseUnreachable({ url: "postgresql://h/d", detail: "refused" }), 5],
    [new Errors.EmbeddedLocked({ folder: "f", pid: 7 }), 5],
    [
      new Errors.SchemaMismatch({
        migration: "0001",
        what: "missing",
        remedy: "Run `runproof migrate`.",
      }),
      5,
    ],
    [new Errors.StoredDataUnreadable({ where: "step 1", what: "is no record" }), 6],
    [new Errors.LeaseLost({ trace_id: "t" }), 8],
    [new Errors.TraceSealed({ trace_id: "t", status: "aborted" }), 8],
    [new Errors.DatabaseFailed({ operation: "x", detail: "y" }), 1],
  ])("maps %s to %i and keeps its words", (error, code) => {
    expect(of(error)).toEqual({
      code,
      tag: error._tag,
      message: error.message,
      remedy: error.remedy,
    });
  });

  it("calls what it does not know unexpected, and shows it", () => {
    expect(ExitCode.ofCause(Cause.die(new Error("boom")), false)).toMatchObject({
      code: 1,
      tag: "Unexpected",
    });
    expect(ExitCode.ofCause(Cause.die(new Error("boom")), false).message).toContain("boom");
    expect(of({ _tag: "toString" }).code).toBe(1);
  });

  it("promises nothing that nobody looked at, of what it does not know", () => {
    const { remedy } = ExitCode.ofCause(Cause.die(new Error("boom")), false);
    expect(remedy).not.toMatch(/\b(nothing|no|not|lost|safe)\b/u);
    expect(remedy).toContain("`runproof audit`");
  });

  it("says nothing more about an interruption or a verdict that is printed", () => {
    expect(ExitCode.ofCause(Cause.interrupt(1), true)).toMatchObject({ code: 130, message: null });
    expect(of(new ExitCode.Concluded({ code: 6 }))).toMatchObject({ code: 6, message: null });
  });

  it("never ends in silence for an interruption that no signal asked for", () => {
    const { code, message } = ExitCode.ofCause(Cause.interrupt(1), false);
    expect(code).toBe(1);
    expect(message).not.toBe("");
  });

  it("reports a failure rather than the interruption that came with it", () => {
    const error = new Errors.DatabaseUnreachable({ url: "u", detail: "gone" });
    expect(ExitCode.ofCause(Cause.combine(Cause.interrupt(1), Cause.fail(error)), true).code).toBe(
      5,
    );
  });

  it("renders what and remedy, or one JSON document", () => {
    const failure = of(new Errors.RunNotFound({ run_id: "r", tenant_id: "t" }));
    expect(ExitCode.render(failure, false)).toBe(
      "error: no run r in tenant t\n  try: Check the run id and the tenant id; `runproof traces list --tenant-id T` shows what is there.",
    );
    expect(JSON.parse(ExitCode.render(failure, true) ?? "")).toEqual({
      error: { code: 3, tag: "RunNotFound", message: failure.message, remedy: failure.remedy },
    });
  });

  it("lists every code once, in order", () => {
    const codes = ExitCode.meanings.map(([code]) => code);
    expect(codes).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130]);
  });
});

/**
 * Goal: with no server anywhere the commands work on an embedded database, one process at a time.
 * Method: the real process, on one folder that the demonstration fills.
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, folder, planOf, proofOf, runproof, site, start } from "./runproof.ts";

const here = folder();
/** The demonstration's own, made by it. */
let home: string;
let env: { readonly RUNPROOF_HOME: string };
let web: Awaited<ReturnType<typeof site>>;
let demo: Ended;

beforeAll(async () => {
  web = await site();
  const elsewhere = join(here.path, "elsewhere");
  demo = await runproof(["demo"], {
    RUNPROOF_HOME: elsewhere,
    DATABASE_URL: "postgresql://h/none",
    USE_POSTGRES_TRACES: "true",
  });
  home = /^export RUNPROOF_HOME=(\S+)$/mu.exec(demo.stdout.replaceAll(/^ +/gmu, ""))?.[1] ?? "";
  env = { RUNPROOF_HOME: home };
  // It tampers with what it recorded, and with nobody's evidence.
  expect(existsSync(elsewhere)).toBe(false);
});
afterAll(async () => {
  here.remove();
  rmSync(home, { recursive: true, force: true });
  await web.close();
});

describe("demo", () => {
  it("shows VERIFIED, then FAILED at the step that was changed, and the bundle from before untouched", () => {
    expect(demo).toMatchObject({ code: 0, stderr: "" });
    const verdicts = demo.stdout.match(/^ {3}(?:VERIFIED|FAILED|UNSUPPORTED)/gmu);
    expect(verdicts).toEqual(["   VERIFIED", "   VERIFIED", "   FAILED"]);
    expect(demo.stdout).toContain("PAYLOAD_MISMATCH step 2");
    expect(demo.stdout).toContain("permission denied");
  });

  it("says commands to try next that hold", async () => {
    const [, run_id = ""] = / proof (\S+) --tenant-id demo/u.exec(demo.stdout) ?? [];
    const [, bundle = ""] = / verify (\S+)/u.exec(demo.stdout) ?? [];
    expect(demo.stdout).toContain(`export RUNPROOF_HOME=${home}`);
    expect((await runproof(["verify", bundle])).code).toBe(0);
    const kept = join(here.path, "kept.json");
    const args = ["proof", run_id, "--tenant-id", "demo", "--bundle", kept];
    const proof = await runproof(args, env);
    expect(proof).toMatchObject({ code: 6, stdout: expect.stringMatching(/^FAILED /mu) });
    expect(proof.stderr).toContain("no bundle written");
    expect(existsSync(kept)).toBe(false);
  });

  it("leaves the database's defences as they were", async () => {
    const { code, stdout } = await runproof(["doctor"], env);
    expect({ code, faults: stdout.match(/^(?:warn|fail).*/gmu) }).toEqual({
      code: 0,
      faults: null,
    });
  });
});

describe("run", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "seals what it runs as aborted on %s, answers 130, and lets no other process in before",
    async (signal) => {
      const plan = here.write("hangs.json", planOf(`${web.url}/ok`, `${web.url}/hangs`));
      const run_id = `r-${signal}`;
      const args = ["run", "--plan", plan, "--tenant-id", "t", "--run-id", run_id];
      const running = start(args, env);
      await running.says("step 0");
      const locked = await runproof(["traces", "list", "--tenant-id", "t"], env);
      expect(locked).toMatchObject({ code: 5, stdout: "" });
      expect(locked.stderr).toContain("is in use by process");
      running.signal(signal);
      expect(await running.ended).toMatchObject({ code: 130, stdout: "" });

      const proof = await proofOf(run_id, env);
      expect(proof.lifecycle).toBe("ABORTED");
      expect(proof.integrity.verification_status).toBe("VERIFIED");
      expect(proof.aos_trace_steps[0]).toMatchObject({ step_index: 0, status: "success" });
    },
  );
});

describe("audit", () => {
  it("names the embedded database, and makes no new one where it is gone", async () => {
    const there = await runproof(["audit"], env);
    expect(there.code).toBe(6);
    expect(there.stdout).toContain(`\n  database    ${home}\n`);
    rmSync(join(home, "postgres"), { recursive: true });
    const gone = await runproof(["audit"], env);
    expect(gone).toMatchObject({ code: 5, stdout: "" });
    expect(gone.stderr).toContain(`no embedded database in ${home}`);
    expect(existsSync(join(home, "postgres"))).toBe(false);
  });
});

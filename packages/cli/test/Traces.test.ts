import type { ShownPayload, ShownRun } from "@runproof/spine-coordinators/logs/TraceCoordinator";
import { describe, expect, it } from "vitest";
import { drawnStep } from "../src/Acts.ts";
import { renderPage, renderRun } from "../src/commands/Traces.ts";
import { drawn, screen } from "./screens.ts";

const absent: ShownPayload = { state: "absent" };

const shown: ShownRun = {
  trace: {
    trace_id: "tr-1",
    run_id: "r-1",
    tenant_id: "demo",
    agent_id: "support-agent",
    started_at: "2026-02-10T12:43:41.000000Z",
  },
  status: "completed",
  seal: { status: "completed", reason: null, completed_at: "2026-02-10T12:43:41.250000Z" },
  root_hash: "ab".repeat(32),
  payloads: { plan: absent, attributes: absent, metadata: absent },
  steps: [
    {
      record: {
        step_index: 0,
        skill_name: "http_call",
        status: "retry",
        outcome_code: "HTTP_503",
        started_at: "2026-02-10T12:43:41.000000Z",
        duration_ms: 50,
      },
      payloads: { params: absent, outcome_data: absent, attributes: absent },
    },
    {
      record: {
        step_index: 1,
        skill_name: "http_call",
        status: "success",
        outcome_code: "HTTP_201",
        started_at: "2026-02-10T12:43:41.100000Z",
        duration_ms: 100,
      },
      payloads: { params: absent, outcome_data: absent, attributes: absent },
    },
  ],
};

const draw = (run: ShownRun, columns = 80) =>
  renderRun(screen(columns), run, run.steps.map(drawnStep));

describe("traces show", () => {
  it("draws who, when, how it ended and the steps", () => {
    expect(draw(shown, 76)).toBe(
      drawn(`
        run      r-1
        trace    tr-1
        tenant   demo
        agent    support-agent
        started  2026-02-10 12:43:41.000 UTC, took 250 ms
        steps    2, of which 1 retried
        seal     COMPLETE
        checked  nothing: this is what is stored, and \`runproof proof\` checks it
        root     ${"ab".repeat(32)}

        #  skill      status                start  0                  200 ms    took
        0  http_call  ↻ retry HTTP_503      +0 ms  ██████                      50 ms
        1  http_call  ✓ success HTTP_201  +100 ms              █████████████  100 ms
      `),
    );
  });

  it("says of an open run that it has no proof, and never that it is complete", () => {
    const text = draw({
      ...shown,
      status: "running",
      seal: null,
      root_hash: null,
    });
    expect(text).toContain("seal     OPEN");
    expect(text).not.toContain("COMPLETE");
    expect(text).not.toContain("root ");
  });

  it("calls a run with a status that the format does not know neither complete nor aborted", () => {
    expect(draw({ ...shown, status: "great" })).toContain("seal     UNKNOWN (great)");
  });

  it("gives the reason of a run that was aborted", () => {
    const seal = { status: "aborted", reason: "lease expired", completed_at: null };
    expect(draw({ ...shown, status: "aborted", seal })).toContain(
      "seal     ABORTED: lease expired",
    );
  });

  it("gives what the metadata says of the failure beside the reason, while it is there", () => {
    const seal = { status: "failed", reason: "step 1 failed: Declined", completed_at: null };
    const metadata: ShownPayload = { state: "present", value: { detail: "Declined: no funds" } };
    const failed = { ...shown, status: "failed", seal };
    const show = (payload: ShownPayload) =>
      draw({ ...failed, payloads: { ...shown.payloads, metadata: payload } });
    expect(show(metadata)).toContain(
      "seal     COMPLETE, and the run failed: step 1 failed: Declined\n",
    );
    expect(show(metadata)).toContain("\ndetail   Declined: no funds\n");
    for (const value of ["detail", null, [], {}]) {
      expect(show({ state: "present", value })).not.toContain("detail ");
    }
    expect(show({ state: "erased" })).not.toContain("detail ");
  });

  it("draws a record whose fields are not what they should be", () => {
    const broken: ShownRun = {
      ...shown,
      trace: { run_id: 7, started_at: "soon" },
      steps: [
        { ...shown.steps[0]!, record: { skill_name: ["x"], started_at: 3, duration_ms: "long" } },
      ],
    };
    const text = draw(broken);
    expect(text).toContain("run      7");
    expect(text).toContain('["x"]');
  });
});

describe("traces list", () => {
  it("draws a run a line, with a status that is unknown as it is stored", () => {
    const page = {
      traces: [
        {
          trace_id: "tr-1",
          run_id: "r-1",
          tenant_id: "demo",
          agent_id: null,
          status: "finished?",
          capture: "gated",
          started_at: "2026-02-10T12:43:41.549430Z",
          completed_at: "2026-02-10T12:43:43.000000Z",
          step_count: 12,
          root_hash: null,
          is_synthetic: false,
          synthetic_scenario_id: null,
          age_ms: 7_200_000,
          reason: null,
          detail: null,
          last_step: null,
          open: null,
          matched: null,
        },
      ],
      next_cursor: null,
    };
    expect(renderPage(screen(80), page)).toBe(
      drawn(`
        run_id  status     started (UTC)          took  steps  capture  agent
        r-1     finished?  2026-02-10 12:43:41  1.45 s     12  gated    -
      `),
    );
  });
});

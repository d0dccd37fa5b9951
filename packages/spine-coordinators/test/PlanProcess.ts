/**
 * Runs a plan of `http_call` steps in a process of its own, for tests that end it by a signal. It says each step that is
 * recorded on stdout, one index a line.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import { RunCoordinator } from "@runproof/spine-coordinators/runs/RunCoordinator";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import * as Effect from "effect/Effect";

const [database, tenant_id, run_id, origin, steps, lease_ms, capture = "inline"] =
  process.argv.slice(2) as [string, string, string, string, string, string, ("gated" | "inline")?];

const program = Effect.flatMap(RunCoordinator, (runs) =>
  runs.execute({
    plan: {
      steps: Array.from({ length: Number(steps) }, (_, index) => ({
        skill: "http_call",
        params: { method: "GET", url: `${origin}/${index}` },
      })),
    },
    tenant_id,
    run_id,
    lease_ms: Number(lease_ms),
    capture,
    onStep: (event) =>
      Effect.sync(() => {
        if (event.event === "recorded") process.stdout.write(`${event.step_index}\n`);
      }),
  }),
);

// A server by its URL, or the folder of an embedded database.
const settings = database.includes("://") ? { databaseUrl: database } : { home: database };
NodeRuntime.runMain(Effect.provide(program, RunproofLayer.fromEnvironment(settings)));

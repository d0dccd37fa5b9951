import { ImportCoordinator } from "@runproof/spine-coordinators/import/ImportCoordinator";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import * as Effect from "effect/Effect";

const text = [
  { type: "run", run_id: crypto.randomUUID(), started_at: "2026-02-10T12:43:41Z", agent_id: "a1" },
  { type: "step", skill_id: "search", status: "success", params: { q: "tea" }, duration_ms: 12.5 },
  { type: "step", skill_id: "book", status: "failure", outcome_code: "SOLD_OUT" },
  { type: "end", status: "failed", reason: "sold out", completed_at: "2026-02-10T12:43:44Z" },
]
  .map((line) => JSON.stringify(line))
  .join("\n");

const program = Effect.gen(function* () {
  const imports = yield* ImportCoordinator;
  const { runs } = yield* imports.importText({
    format: "ndjson",
    name: "runs.ndjson",
    text,
    tenant_id: "shop",
  });
  for (const { status, step_count } of runs) console.log(status, `${step_count} steps`);
});

await Effect.runPromise(Effect.provide(program, RunproofLayer.fromEnvironment()));

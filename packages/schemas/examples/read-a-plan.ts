import { Plan } from "@runproof/schemas/Plan";
import * as Schema from "effect/Schema";

/** Reads a plan; an unknown key, a missing one or a number past its limit is an error that names its place. */
export const readPlan = (value: unknown): Plan => Schema.decodeUnknownSync(Plan)(value);

export const plan: Plan = readPlan({
  steps: [
    {
      skill: "http_call",
      params: { method: "GET", url: "http://127.0.0.1:8080/health" },
      retries: 2,
      timeout_ms: 5000,
      on_failure: "stop",
    },
  ],
});

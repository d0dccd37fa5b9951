import type { PreparedStep } from "@runproof/proof/StepRecord";
import { textArray } from "./textArray.ts";

const NAMES = ["params", "outcome_data", "attributes"] as const;

/** The payloads of steps as the append functions take them: the texts and the salts of each name. */
export const payloadArrays = (steps: ReadonlyArray<PreparedStep>) => {
  const [params, outcome_data, attributes] = NAMES.map((name) => ({
    texts: textArray(steps.map(({ payloads }) => payloads[name]?.text ?? null)),
    salts: textArray(steps.map(({ payloads }) => payloads[name]?.salt ?? null)),
  }));
  return { params: params!, outcome_data: outcome_data!, attributes: attributes! };
};

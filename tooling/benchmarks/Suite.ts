import type { PostgresServer } from "@runproof/tooling/PostgresServer";
import type { Comparison } from "./Comparison.ts";

/** What a group of figures is measured with. */
export interface Bench {
  readonly server: PostgresServer;
  readonly compare: (comparison: Comparison) => Promise<void>;
}

import { formatTimestamp } from "@runproof/proof/Timestamp";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";

/** This moment as records hold it, to the clock's microsecond. */
export const now: Effect.Effect<string> = Effect.map(Clock.currentTimeNanos, (nanos) =>
  formatTimestamp(nanos / 1_000n),
);

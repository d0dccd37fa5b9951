/** Aborts runs whose process died, for as long as this one lives. */
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Schedule from "effect/Schedule";
import { enduring } from "../internal/enduring.ts";
import { LogsBridge } from "./LogsBridge.ts";
import { DEFAULT_LEASE_MS } from "./RecordedRun.ts";

/** How often leases are looked through: a dead run then looks alive for two leases' time at most. */
export const SWEEP_EVERY_MS = DEFAULT_LEASE_MS;

const sweep = enduring(
  "can't look for runs whose lease is over",
  Effect.gen(function* () {
    const logs = yield* LogsBridge;
    const aborted = yield* logs.sweep();
    yield* Effect.forEach(aborted, ({ run_id, tenant_id }) =>
      Effect.logInfo(`run ${run_id} of tenant ${tenant_id} was aborted: its lease is over`),
    );
  }),
);

/** Sweeps at once and then again and again. Nothing waits for it: who records or reads meets no run but its own. */
export const layer: Layer.Layer<never, never, LogsBridge> = Layer.effectDiscard(
  Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced(Duration.millis(SWEEP_EVERY_MS)))),
);

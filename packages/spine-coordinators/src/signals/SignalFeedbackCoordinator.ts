/** What people have said of a run that needs attention: who saw it, until when it is quiet, who was called. */
import type { LedgerEntry } from "@runproof/drivers/logs/readLedger";
import type { Signal } from "@runproof/drivers/logs/recordSignal";
import type { RunName } from "@runproof/drivers/logs/readRun";
import { parseJson } from "@runproof/proof/JsonText";
import { normaliseTimestamp } from "@runproof/proof/Timestamp";
import {
  type ControlsError,
  type DatabaseError,
  InvalidInput,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { now } from "../internal/now.ts";
import { LogsBridge } from "../logs/LogsBridge.ts";

/** Who said it, when and why. */
export interface Said {
  readonly actor: string;
  readonly reason: string;
  readonly at: string;
}

/** Where a run's signal stands; each part null where nobody said so, and an expired suppression is null too. */
export interface SignalFeedback {
  readonly acknowledged: Said | null;
  readonly suppressed: (Said & { readonly until: string }) | null;
  readonly escalated: (Said & { readonly to: string }) | null;
}

/** Feedback on runs, from the audit ledger. */
export class SignalFeedbackCoordinator extends Context.Service<
  SignalFeedbackCoordinator,
  {
    /** Null where nobody has said anything of the run. */
    readonly get: (
      run: RunName,
    ) => Effect.Effect<SignalFeedback | null, DatabaseError | StoredDataUnreadable>;
    readonly acknowledge: (
      run: RunName,
      said: Pick<Said, "actor" | "reason">,
    ) => Effect.Effect<void, ControlsError>;
    /** Quiet until a time, RFC 3339, which must be to come. */
    readonly suppress: (
      run: RunName,
      said: Pick<Said, "actor" | "reason"> & { readonly until: string },
    ) => Effect.Effect<void, ControlsError>;
    readonly escalate: (
      run: RunName,
      said: Pick<Said, "actor" | "reason"> & { readonly to: string },
    ) => Effect.Effect<void, ControlsError>;
  }
>()("@runproof/spine-coordinators/signals/SignalFeedbackCoordinator") {
  static readonly layer: Layer.Layer<SignalFeedbackCoordinator, never, LogsBridge> = Layer.effect(
    SignalFeedbackCoordinator,
    Effect.map(LogsBridge, ({ ledger }) => {
      const say = (
        run: RunName,
        event: Signal["event"],
        { actor, reason }: Pick<Said, "actor" | "reason">,
        rest: Partial<Pick<Signal, "until" | "to">> = {},
      ) => ledger.recordSignal(run, { event, actor, reason, until: null, to: null, ...rest });
      return SignalFeedbackCoordinator.of({
        get: Effect.fnUntraced(function* (run) {
          return yield* feedbackOf(yield* ledger.read(run), yield* now);
        }),
        acknowledge: (run, said) => say(run, "signal_acknowledged", said),
        suppress: Effect.fnUntraced(function* (run, said) {
          const until = yield* timeToCome(said.until);
          yield* say(run, "signal_suppressed", said, { until });
        }),
        escalate: (run, said) => say(run, "signal_escalated", said, { to: said.to }),
      });
    }),
  );
}

const timeToCome = Effect.fnUntraced(function* (text: string) {
  const invalid = (what: string) =>
    new InvalidInput({
      what,
      where: "until",
      remedy: "Give a time that is to come, such as 2030-01-31T09:00:00Z.",
    });
  const until = yield* Effect.try({
    try: () => normaliseTimestamp(text),
    catch: () => invalid(`${JSON.stringify(text)} is no RFC 3339 time`),
  });
  if (until <= (yield* now)) return yield* invalid(`${text} is over`);
  return until;
});

const feedbackOf = Effect.fnUntraced(function* (entries: ReadonlyArray<LedgerEntry>, at: string) {
  const signals = entries.filter(({ event }) => event.startsWith("signal_"));
  if (signals.length === 0) return null;
  const newest = (event: Signal["event"]) => signals.findLast((entry) => entry.event === event);
  const [seen, quiet, called] = [
    newest("signal_acknowledged"),
    newest("signal_suppressed"),
    newest("signal_escalated"),
  ];
  const until = quiet === undefined ? null : yield* detailOf(quiet, "until");
  return {
    acknowledged: seen === undefined ? null : saidBy(seen),
    suppressed:
      quiet === undefined || until === null || until <= at ? null : { ...saidBy(quiet), until },
    escalated:
      called === undefined
        ? null
        : { ...saidBy(called), to: (yield* detailOf(called, "to")) ?? "" },
  } satisfies SignalFeedback;
});

const saidBy = ({ actor, reason, recorded_at }: LedgerEntry): Said => ({
  actor,
  reason,
  at: recorded_at,
});

const detailOf = (entry: LedgerEntry, name: string) =>
  Effect.try({
    try: () => {
      const detail = parseJson(entry.detail) as Readonly<Record<string, unknown>>;
      const value = detail[name];
      return typeof value === "string" ? value : null;
    },
    catch: () =>
      new StoredDataUnreadable({
        where: `entry ${entry.ledger_id} of the audit ledger`,
        what: "its detail is not JSON",
      }),
  });

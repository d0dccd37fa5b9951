/** Erases payloads of sealed runs for good: what was hashed stays provable, and what it said is gone. */
import { eventRecordText } from "@runproof/proof/EventRecord";
import { type ControlsError, InvalidInput } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { now } from "../internal/now.ts";
import { invalidInput, refusable } from "../internal/refused.ts";
import { ControlsBridge, type Order, type PayloadName } from "./ControlsBridge.ts";

/** What can be erased, by the names that people use: `goal` stands in the trace's attributes. */
const PLACES = {
  params: /^step \d+:params$/u,
  outcome_data: /^step \d+:outcome_data$/u,
  plan: /^trace:plan$/u,
  goal: /^trace:attributes$/u,
  metadata: /^seal:metadata$/u,
  attributes: /^(trace|step \d+):attributes$/u,
};
export type ErasableField = keyof typeof PLACES;

/** Payloads of one EVENT: its record stays small enough to read. */
const PAYLOADS_OF_AN_EVENT = 1_000;

/** Which payloads of a tenant: of a run, narrowed to a step and fields, or all that hold a text. */
export interface ErasureScope {
  readonly tenant_id: string;
  readonly run_id?: string | undefined;
  readonly step_index?: number | undefined;
  readonly fields?: ReadonlyArray<ErasableField> | undefined;
  readonly matching?: string | undefined;
}

/** What was erased of one run. */
export interface Erasure {
  readonly run_id: string;
  readonly payloads: ReadonlyArray<string>;
}

/** Erasure. */
export class ErasureCoordinator extends Context.Service<
  ErasureCoordinator,
  {
    /** Finds what an erasure would take. A scope that names nothing that is there is `InvalidInput`, never an empty list. */
    readonly find: (
      scope: ErasureScope,
    ) => Effect.Effect<ReadonlyArray<PayloadName>, ControlsError>;
    /** Erases what was found, run by run: of a run all or, where it is held, nothing. It can't be undone. */
    readonly erase: (
      tenant_id: string,
      payloads: ReadonlyArray<PayloadName>,
      order: Order,
    ) => Effect.Effect<ReadonlyArray<Erasure>, ControlsError>;
  }
>()("@runproof/spine-coordinators/controls/ErasureCoordinator") {
  static readonly layer: Layer.Layer<ErasureCoordinator, never, ControlsBridge> = Layer.effect(
    ErasureCoordinator,
    Effect.map(ControlsBridge, (controls) =>
      ErasureCoordinator.of({ find: find(controls), erase: erase(controls) }),
    ),
  );
}

const isChosen =
  ({ step_index, fields }: ErasureScope) =>
  ({ payload }: PayloadName): boolean =>
    (step_index === undefined || payload.startsWith(`step ${step_index}:`)) &&
    (fields === undefined || fields.some((field) => PLACES[field].test(payload)));

const find =
  ({ payloads }: ControlsBridge["Service"]): ErasureCoordinator["Service"]["find"] =>
  (scope) =>
    Effect.gen(function* () {
      const { tenant_id, run_id, matching } = scope;
      if ((run_id === undefined) === (matching === undefined)) {
        return yield* new InvalidInput({
          what: "a run or a text to look for is needed, and not both",
          where: "erase",
          remedy: "Name the run whose payloads go, or the text that they hold.",
        });
      }
      const found = (yield* payloads.list({ tenant_id, run_id, matching })).filter(isChosen(scope));
      if (found.length === 0) {
        return yield* new InvalidInput({
          what:
            run_id === undefined
              ? `no payload of tenant ${tenant_id} holds that text`
              : `run ${run_id} of tenant ${tenant_id} has no such payload: it is not there, or was erased`,
          where: "erase",
          remedy: "Look at what is stored, and name what is there.",
        });
      }
      const open = found.find(({ is_sealed }) => !is_sealed);
      if (open !== undefined) {
        return yield* new InvalidInput({
          what: `run ${open.run_id} is still open: its payloads can be erased once it is sealed`,
          where: "erase",
          remedy: "Wait until it ends; nothing was erased.",
        });
      }
      return found;
    });

const erase =
  ({ payloads: door }: ControlsBridge["Service"]): ErasureCoordinator["Service"]["erase"] =>
  (tenant_id, payloads, { actor, reason }) =>
    Effect.gen(function* () {
      const erasures: Array<Erasure> = [];
      const byTrace = Map.groupBy(payloads, ({ trace_id }) => trace_id);
      for (const [trace_id, all] of byTrace) {
        const { run_id } = all[0]!;
        const names = all.map(({ payload }) => payload);
        for (let at = 0; at < names.length; at += PAYLOADS_OF_AN_EVENT) {
          const some = names.slice(at, at + PAYLOADS_OF_AN_EVENT);
          const occurred_at = yield* now;
          const record = yield* refusable(() =>
            eventRecordText({
              event: "erasure",
              trace_id,
              occurred_at,
              actor,
              reason,
              detail: { payloads: some.join(",") },
            }),
          ).pipe(Effect.mapError((refusal) => invalidInput(refusal, "event")));
          yield* door.erase({ tenant_id, run_id }, record);
        }
        erasures.push({ run_id, payloads: names });
      }
      return erasures;
    });

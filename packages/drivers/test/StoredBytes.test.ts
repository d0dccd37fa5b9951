/**
 * What is stored is byte for byte what was hashed, whatever the fields and payloads hold: drawn at random, recorded, read
 * back and verified.
 */
import type { Database } from "@runproof/drivers/Database";
import { expect } from "@effect/vitest";
import { canonicalize } from "@runproof/proof/CanonicalJson";
import { prepareSeal, sealRecordText } from "@runproof/proof/SealRecord";
import { prepareStep } from "@runproof/proof/StepRecord";
import { prepareTrace } from "@runproof/proof/TraceRecord";
import * as Effect from "effect/Effect";
import * as fc from "fast-check";
import { onEachDatabase } from "./Databases.ts";
import {
  freshIdentity,
  LEASE_MS,
  read,
  sealInput,
  stepInput,
  traceInput,
  verdictOf,
} from "./Evidence.ts";
import { traces } from "./Stores.ts";

const RUNS = process.env["RUNPROOF_LONG"] === "1" ? 500 : 25;

/** Valid Unicode: no lone surrogate. */
const unicode = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme-composite", maxLength: 20 }),
  fc.constantFrom(
    "",
    " ",
    "\\",
    '"',
    "\\u0041",
    "\u007F",
    "\u2028\u2029",
    "\uFEFF",
    "\uFFFF",
    "e\u0301",
    "🙂",
    "a\r\nb\tc\b\f",
    "'; drop table runs; --",
    "$1 $$ {} \\x00",
    "x".repeat(5000),
  ),
);

/** What a record may hold: no U+0000 either. */
const recordText = unicode.map((text) => text.replaceAll("\u0000", ""));

const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => Math.abs(n) < 2 ** 53),
  fc.maxSafeInteger(),
  fc.constantFrom(
    0,
    -0,
    1e-7,
    5e-324,
    0.1 + 0.2,
    1 / 3,
    2 ** 53 - 1,
    -(2 ** 53 - 1),
    123456789.12345679,
  ),
);

const payload = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    number,
    fc.oneof(unicode, fc.constantFrom("\u0000", "a\u0000b\u0001\u001F")),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(
        unicode,
        fc.constantFrom(
          "__proto__",
          "constructor",
          "toString",
          "",
          "10",
          "9",
          "é",
          "\u0000",
          "💩",
          "ﬁ",
        ),
      ),
      tie("value"),
      { maxKeys: 4, noNullPrototype: false },
    ),
  ),
})).value;

/** A payload, null as one, or none. */
const optionalPayload = fc.option(payload, { nil: undefined, freq: 4 });
const nullable = <A>(arbitrary: fc.Arbitrary<A>) => fc.option(arbitrary, { nil: null, freq: 3 });

const time = fc
  .tuple(
    fc.integer({ min: 1, max: 9999 }),
    fc.integer({ min: 0, max: 999_999 }),
    fc.integer({ min: 0, max: 86_399 }),
  )
  .map(([year, micros, seconds]) => {
    const day = new Date(seconds * 1000).toISOString().slice(11, 19);
    return `${String(year).padStart(4, "0")}-02-28T${day}.${String(micros).padStart(6, "0")}Z`;
  });

const amount = nullable(number.map(Math.abs));
const count = fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 53 - 1));

const trace = fc.record({
  correlation_id: fc.oneof(
    fc.constant("c"),
    recordText.filter((text) => text !== "" && text.length <= 200),
  ),
  agent_id: nullable(recordText),
  origin_system_id: nullable(recordText),
  incident_id: nullable(recordText),
  replay_of: nullable(recordText),
  started_at: time,
  created_at: time,
  seed: nullable(fc.maxSafeInteger()),
  frozen_timestamp: nullable(time),
  is_synthetic: fc.boolean(),
  synthetic_scenario_id: recordText,
  redaction: nullable(recordText),
  plan: optionalPayload,
  attributes: optionalPayload,
});

/** An index over the skill's id has no place for thousands of characters. */
const skill = recordText.filter((text) => text.length <= 500);

const step = fc.record({
  skill_id: skill,
  skill_name: recordText,
  source: fc.constantFrom("engine", "external", "replay"),
  status: fc.constantFrom("success", "failure", "retry", "skipped"),
  outcome_category: recordText,
  outcome_code: nullable(recordText),
  cost_cents: amount,
  duration_ms: amount,
  started_at: nullable(time),
  retry_count: count,
  replay_behavior: fc.constantFrom("execute", "skip", "check"),
  idempotency_key: nullable(recordText),
  timestamp: time,
  is_synthetic: fc.boolean(),
  synthetic_scenario_id: nullable(recordText),
  params: optionalPayload,
  outcome_data: optionalPayload,
  attributes: optionalPayload,
});

const seal = fc.record({
  status: fc.constantFrom("completed", "failed"),
  reason: recordText,
  completed_at: time,
  sealed_at: time,
  metadata: optionalPayload,
});

const run = fc.record({
  run_id: recordText.filter((text) => text !== "" && text.length <= 100),
  tenant_id: recordText.filter((text) => text !== "" && text.length <= 100),
  trace,
  steps: fc.array(step, { minLength: 1, maxLength: 5 }),
  seal,
});

onEachDatabase("what the database stores", (it) => {
  it.effect("is byte for byte what was hashed, whatever it holds", () =>
    Effect.gen(function* () {
      const store = yield* traces;
      const context = yield* Effect.context<Database>();
      const holds = (drawn: typeof run extends fc.Arbitrary<infer A> ? A : never) =>
        Effect.gen(function* () {
          // Each draw is a run of its own, also where the ids are drawn again.
          const { trace_id, run_id } = freshIdentity();
          const identity = { trace_id, run_id: drawn.run_id + run_id, tenant_id: drawn.tenant_id };
          const preparedTrace = prepareTrace(traceInput(identity, drawn.trace));
          yield* store.start({ trace: preparedTrace, holder: "test", lease_ms: LEASE_MS });
          const preparedSteps = drawn.steps.map((fields, step_index) =>
            prepareStep(stepInput(trace_id, { ...fields, step_index })),
          );
          const appending = { trace_id, holder: "test", first_index: 0, steps: preparedSteps };
          yield* store.appendSteps(appending);
          const preparedSeal = prepareSeal(sealInput(trace_id, drawn.seal));
          const sealed = yield* store.seal({ trace_id, holder: "test", seal: preparedSeal });

          const stored = yield* read(identity);
          expect(stored.trace.record).toBe(preparedTrace.record);
          expect(stored.trace.link).toBe(preparedTrace.link);
          expect(stored.trace.payloads).toEqual(textsOf(preparedTrace.payloads));
          expect(stored.steps).toHaveLength(drawn.steps.length);
          for (const [index, prepared] of preparedSteps.entries()) {
            const row = stored.steps[index]!;
            expect(row.record).toBe(prepared.record);
            expect(row.payloads).toEqual(textsOf(prepared.payloads));
            const { params, outcome_data, attributes } = drawn.steps[index]!;
            const isBare = [params, outcome_data, attributes].every((each) => each === undefined);
            const given = { params, outcome_data, attributes: isBare ? {} : attributes };
            for (const name of ["params", "outcome_data", "attributes"] as const) {
              const value = given[name];
              expect(row.payloads[name].text).toBe(
                value === undefined ? null : canonicalize(value),
              );
            }
          }
          expect(stored.seal!.record).toBe(sealRecordText(preparedSeal, sealed));
          expect(stored.seal!.payloads).toEqual(textsOf(preparedSeal.payloads));
          const verdict = verdictOf(stored);
          expect(verdict.findings).toEqual([]);
          expect(verdict).toMatchObject({
            verification_status: "VERIFIED",
            root_hash: sealed.root_hash,
            merkle_root: sealed.merkle_root,
          });
        });
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(run, (drawn) => Effect.runPromiseWith(context)(holds(drawn))),
          { numRuns: RUNS },
        ),
      );
    }),
  );
});

/** Payloads as rows have them. */
const textsOf = (payloads: Readonly<Record<string, { salt: string; text: string } | null>>) =>
  Object.fromEntries(
    Object.entries(payloads).map(([name, payload_]) => [
      name,
      { salt: payload_?.salt ?? null, text: payload_?.text ?? null },
    ]),
  );

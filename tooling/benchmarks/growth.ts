/** What a step costs as traces and tables grow: it must not. */
import * as Effect from "effect/Effect";
import { appendSteps, openTrace, recordTraces, sealTrace } from "./RecordedTrace.ts";
import { connectProduct, openProduct, type Product } from "./Product.ts";
import type { Bench } from "./Suite.ts";

const ROUNDS = 5;
const LONG_STEPS = 100_000;
const SHORT_STEPS = 10;
const SEALED_TRACES = 200_000;
/** Processes that write them. */
const WRITERS = 8;
/** Appends of a round, each in a round trip of its own. */
const APPENDS = 300;
const SEALS = 1;

/** Appends one by one to a trace that has so many steps, on and on over the rounds. */
const appendingTo = async (product: Product, length: number) => {
  const trace_id = await product.run(openTrace(length));
  let next = length;
  return async () => {
    await product.run(
      Effect.forEach(
        Array.from({ length: APPENDS }),
        () =>
          Effect.flatMap(
            Effect.sync(() => next++),
            (at) => appendSteps(trace_id, at, 1),
          ),
        { discard: true },
      ),
    );
    return APPENDS;
  };
};

export const growth = async ({ server, compare }: Bench): Promise<void> => {
  const product = await openProduct(server.url);
  const figure = { rounds: ROUNDS, as: "cost" } as const;
  await compare({
    ...figure,
    name: "append to a long trace",
    unit: "step",
    ours: { name: "at step 100,000", round: await appendingTo(product, LONG_STEPS) },
    peer: { name: "at step 10", round: await appendingTo(product, SHORT_STEPS) },
    target: 1.2,
  });

  // One more than the rounds: the first of each does not count.
  const opened = (length: number) =>
    product.run(Effect.forEach(Array.from({ length: ROUNDS + 1 }), () => openTrace(length)));
  const sealing = (trace_ids: ReadonlyArray<string>) => {
    const rest = [...trace_ids];
    return async () => {
      await product.run(sealTrace(rest.pop()!));
      return SEALS;
    };
  };
  await compare({
    ...figure,
    name: "seal a long trace",
    unit: "seal",
    ours: { name: "at 100,000 steps", round: sealing(await opened(LONG_STEPS)) },
    peer: { name: "at 10 steps", round: sealing(await opened(SHORT_STEPS)) },
    target: 3,
  });
  await product.end();

  const full = await openProduct(server.url);
  const empty = await openProduct(server.url);
  const writers = Array.from({ length: WRITERS }, () => connectProduct(full.url));
  const lengths = Array.from({ length: SEALED_TRACES / WRITERS }, () => 1);
  await Promise.all(writers.map((writer) => writer.run(recordTraces(lengths))));
  await Promise.all(writers.map((writer) => writer.end()));
  await compare({
    ...figure,
    name: "append beside sealed traces",
    unit: "step",
    ours: { name: "200,000 in the table", round: await appendingTo(full, SHORT_STEPS) },
    peer: { name: "an empty table", round: await appendingTo(empty, SHORT_STEPS) },
    target: 1.2,
  });
  await full.end();
  await empty.end();
};

/** Goal: nothing but whoever interrupts it ends what runs in the background, and it is never silent about what befell it. */
import { assert, describe, it } from "@effect/vitest";
import { DatabaseUnreachable } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Logger from "effect/Logger";
import { enduring } from "../src/internal/enduring.ts";

const gone = new DatabaseUnreachable({ url: "u", detail: "gone" });

describe("work in the background", () => {
  for (const [what, turn, level] of [
    ["an error", Effect.fail(gone), "Warn"],
    ["a defect", Effect.die(new Error("boom")), "Error"],
    ["an interruption from inside", Effect.interrupt, "Error"],
    [
      "a defect beside one",
      Effect.onInterrupt(Effect.interrupt, () => Effect.die("boom")),
      "Error",
    ],
  ] as const) {
    it.effect(`goes on after ${what}, and says so`, () =>
      Effect.gen(function* () {
        const said: Array<string> = [];
        const listener = Logger.make(({ logLevel }) => {
          said.push(logLevel);
        });
        const exit = yield* Effect.exit(enduring("can't work", turn)).pipe(
          Effect.provide(Logger.layer([listener])),
        );
        assert.deepStrictEqual([exit, said], [Exit.void, [level]]);
      }),
    );
  }

  it.effect("ends when it is interrupted", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.forever(enduring("can't work", Effect.never)));
      yield* Effect.yieldNow;
      yield* Fiber.interrupt(fiber);
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)));
    }),
  );
});

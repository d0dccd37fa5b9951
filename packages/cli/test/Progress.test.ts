import { it as effectIt } from "@effect/vitest";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as TestClock from "effect/testing/TestClock";
import { describe, expect, it } from "vitest";
import { Output } from "../src/Output.ts";
import { width } from "../src/Screen.ts";
import * as Progress from "../src/Progress.ts";
import { screen } from "./screens.ts";

const state = (done: number, total: number | null, detail = ""): Progress.State => ({
  done,
  total,
  detail,
});

describe("Progress", () => {
  it("fills the bar with the share done and says what is left", () => {
    expect(Progress.render(screen(80), "importing", state(12, 48, "run r-12"), 3000, 1)).toBe(
      "importing  ██████░░░░░░░░░░░░░░░░░░  12/48  9.00 s left  run r-12",
    );
    expect(Progress.render(screen(80), "importing", state(48, 48), 3000, 1)).toBe(
      "importing  ████████████████████████  48/48",
    );
  });

  it("promises no time where nothing is done yet", () => {
    expect(Progress.render(screen(80), "importing", state(0, 48), 3000, 1)).not.toContain("left");
  });

  it("moves a mark and says the time where the total is not known", () => {
    const first = Progress.render(screen(80), "opening", state(0, null), 1500, 1);
    expect(first).toContain("1.50 s");
    expect(Progress.render(screen(80), "opening", state(0, null), 1500, 2)).not.toBe(first);
  });

  it.each([40, 80, 140])("fits %i columns, so that one line is enough to wipe it", (columns) => {
    const line = Progress.render(
      screen(columns),
      "x",
      state(1, 9, "a detail ".repeat(40)),
      1000,
      1,
    );
    expect(width(line)).toBeLessThan(columns);
  });

  it("draws in ASCII where it must", () => {
    expect(Progress.render(screen(80, { unicode: false }), "x", state(1, 2), 1, 1)).toMatch(
      /^[\u0020-\u007e]+$/u,
    );
  });

  /** An output that keeps what is redrawn. */
  const output = (live: boolean) => {
    const redrawn: Array<string> = [];
    const nowhere = () => Effect.void;
    const service = Output.of({
      stdout: screen(80, { live }),
      stderr: screen(80, { live }),
      data: nowhere,
      piece: nowhere,
      note: nowhere,
      redraw: (text) => Effect.sync(() => void redrawn.push(text)),
    });
    return { redrawn, service };
  };

  effectIt.effect("appears after a moment, moves, and is wiped when the work ends", () =>
    Effect.gen(function* () {
      const { redrawn, service } = output(true);
      const work = Progress.during("importing", 10, (report) =>
        Effect.gen(function* () {
          yield* TestClock.adjust(300);
          expect(redrawn).toEqual([]);
          yield* report({ done: 5 });
          yield* TestClock.adjust(200);
          expect(redrawn.at(-1)).toContain(" 5/10");
        }),
      );
      yield* Effect.provideService(work, Output, service);
      expect(redrawn.at(-1)).toBe("\r\u001b[K");
    }),
  );

  effectIt.effect("gives way to a note, so that the line is not left before it", () =>
    Effect.gen(function* () {
      for (const [live, wiped] of [
        [true, ["\r\u001b[K"]],
        [false, []],
      ] as const) {
        const { redrawn, service } = output(live);
        const said: Array<string> = [];
        const note = (text: string) => Effect.sync(() => void said.push(text));
        yield* Effect.provideService(Progress.note("step 0"), Output, { ...service, note });
        expect({ redrawn, said }).toEqual({ redrawn: wiped, said: ["step 0"] });
      }
    }),
  );

  effectIt.effect("draws nothing off a terminal", () =>
    Effect.gen(function* () {
      const { redrawn, service } = output(false);
      const work = Progress.during("importing", 10, () => TestClock.adjust(5000));
      yield* Effect.provideService(work, Output, service);
      expect(redrawn).toEqual([]);
    }),
  );

  effectIt.effect("leaves open what the work opened for its caller", () =>
    Effect.gen(function* () {
      const closed = yield* Deferred.make<void>();
      const open = Effect.acquireRelease(Effect.succeed("database"), () =>
        Deferred.succeed(closed, undefined),
      );
      const opened = Progress.during("opening", null, () => open);
      yield* Effect.provideService(opened, Output, output(true).service);
      expect(yield* Deferred.isDone(closed)).toBe(false);
    }),
  );
});

/** A line on stderr that moves while something takes long. On a terminal only; it appears after a moment and leaves no trace. */
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Ref from "effect/Ref";
import * as Schedule from "effect/Schedule";
import * as Duration from "./Duration.ts";
import { Output } from "./Output.ts";
import { clip, pad, type Screen, tone, width } from "./Screen.ts";

/** Work that ends sooner shows nothing: a bar that flashes by says less than none. */
const APPEARS_AFTER_MS = 400;

/** Ten a second: it moves for the eye, and costs nothing. */
const REDRAW_EVERY_MS = 100;

/** Cells of the bar, where the screen has room for them. */
const BAR_CELLS_MAX = 24;

/** A detail that has less room says nothing. */
const DETAIL_CELLS_MIN = 8;

/** How far the work is. `total` is null where it is not known, `detail` the newest thing done. */
export interface State {
  readonly done: number;
  readonly total: number | null;
  readonly detail: string;
}

/** Tells how far the work is. */
export type Report = (state: Partial<State>) => Effect.Effect<void>;

const HIDE = "\r\u001b[K";

const bar = (screen: Screen, state: State, tick: number, cells: number): string => {
  const [full, empty] = screen.unicode ? ["█", "░"] : ["#", "."];
  if (state.total === null) {
    const at = tick % cells;
    return empty.repeat(at) + full + empty.repeat(cells - 1 - at);
  }
  const share = state.total === 0 ? 1 : Math.min(1, state.done / state.total);
  const done = Math.floor(share * cells);
  return full.repeat(done) + empty.repeat(cells - done);
};

const figures = (state: State, elapsed_ms: number): string => {
  if (state.total === null) return Duration.format(elapsed_ms);
  const count = `${pad(String(state.done), String(state.total).length, "right")}/${state.total}`;
  if (state.done === 0 || state.done >= state.total) return count;
  const left_ms = (elapsed_ms / state.done) * (state.total - state.done);
  return `${count}  ${Duration.format(Math.max(1000, Math.round(left_ms / 1000) * 1000))} left`;
};

/** The line, no wider than the screen. `tick` moves the mark of a bar whose total is not known. */
export const render = (
  screen: Screen,
  label: string,
  state: State,
  elapsed_ms: number,
  tick: number,
): string => {
  const start = `${label}  `;
  const end = `  ${figures(state, elapsed_ms)}`;
  // The last cell stays free: a terminal that has filled its line may already be on the next.
  const room = screen.columns - 1 - width(start) - width(end);
  const cells = Math.max(1, Math.min(BAR_CELLS_MAX, room));
  const left = room - cells - 2;
  const detail =
    state.detail === "" || left < DETAIL_CELLS_MIN ? "" : `  ${clip(screen, state.detail, left)}`;
  return (
    start +
    tone(screen, "accent", bar(screen, state, tick, cells)) +
    end +
    tone(screen, "quiet", detail)
  );
};

/** Says something on stderr while a progress line may be drawn: the line gives way, and comes again under it. */
export const note = Effect.fnUntraced(function* (text: string) {
  const output = yield* Output;
  if (output.stderr.live) yield* output.redraw(HIDE);
  yield* output.note(text);
});

/** Runs `work` with a progress line under it. The line is gone before this returns, whether `work` succeeds or not. */
export const during = Effect.fnUntraced(function* <A, E, R>(
  label: string,
  total: number | null,
  work: (report: Report) => Effect.Effect<A, E, R>,
) {
  const output = yield* Output;
  const state = yield* Ref.make<State>({ done: 0, total, detail: "" });
  const report: Report = (change) => Ref.update(state, (before) => ({ ...before, ...change }));
  if (!output.stderr.live) return yield* work(report);
  const started_ms = yield* Clock.currentTimeMillis;
  let tick = 0;
  const redraw = Effect.gen(function* () {
    const elapsed_ms = (yield* Clock.currentTimeMillis) - started_ms;
    tick += 1;
    yield* output.redraw(
      HIDE + render(output.stderr, label, yield* Ref.get(state), elapsed_ms, tick),
    );
  });
  const animate = redraw.pipe(
    Effect.repeat(Schedule.spaced(REDRAW_EVERY_MS)),
    Effect.delay(APPEARS_AFTER_MS),
    Effect.onExit(() => (tick > 0 ? output.redraw(HIDE) : Effect.void)),
  );
  // Not in a scope of its own: what `work` opens in its caller's scope must outlive the line.
  const line = yield* Effect.forkChild(animate);
  return yield* Effect.ensuring(work(report), Fiber.interrupt(line));
});

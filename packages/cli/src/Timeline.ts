/** A run's steps drawn as a waterfall: when each began, how long it took, and how it ended. */
import * as Duration from "./Duration.ts";
import { clip, pad, printable, type Screen, type Tone, tone, width } from "./Screen.ts";

/** What is drawn of a step. */
export interface TimelineStep {
  readonly step_index: number;
  readonly parent_step_index: number | null;
  readonly skill_name: string;
  readonly status: string;
  readonly outcome_code: string | null;
  readonly started_at: string | null;
  readonly duration_ms: number | null;
  readonly cost_cents: number | null;
}

/** Narrower than this a bar says nothing, and the columns are printed without it. */
const BAR_CELLS_MIN = 12;

/** Wider than this a bar only spreads the eye. */
const BAR_CELLS_MAX = 80;

/** The longest skill name shown whole. */
const SKILL_CELLS_MAX = 28;

/** Deeper nesting is not indented further. */
const DEPTH_MAX = 8;

const tones: Readonly<Record<string, Tone>> = {
  success: "good",
  failure: "bad",
  retry: "caution",
  skipped: "quiet",
};

const marks: Readonly<Record<string, readonly [unicode: string, ascii: string]>> = {
  success: ["✓", "+"],
  failure: ["✗", "x"],
  retry: ["↻", "~"],
  skipped: ["·", "-"],
};

/** A step with its place in the run: milliseconds from the beginning, null where its source gave no time. */
interface Placed {
  readonly step: TimelineStep;
  readonly depth: number;
  readonly offset_ms: number | null;
}

const place = (run_started_at: string, steps: ReadonlyArray<TimelineStep>) => {
  const starts = steps.map((step) =>
    step.started_at === null ? null : Duration.epochMs(step.started_at),
  );
  const known = starts.filter((start) => start !== null);
  const zero = known.reduce(
    (least, each) => Math.min(least, each),
    Duration.epochMs(run_started_at) ?? Infinity,
  );
  const depths: Array<number> = [];
  const placed = steps.map((step, index): Placed => {
    const parent = step.parent_step_index === null ? undefined : depths[step.parent_step_index];
    const depth = parent === undefined ? 0 : Math.min(DEPTH_MAX, parent + 1);
    depths.push(depth);
    const start = starts[index] ?? null;
    return { step, depth, offset_ms: start === null ? null : start - zero };
  });
  const end_ms = placed.reduce(
    (latest, each) => Math.max(latest, (each.offset_ms ?? 0) + (each.step.duration_ms ?? 0)),
    0,
  );
  return { placed, timed: known.length > 0, end_ms };
};

const bar = (screen: Screen, each: Placed, end_ms: number, cells: number): string => {
  if (each.offset_ms === null) return " ".repeat(cells);
  const [block, instant] = screen.unicode ? ["█", "▏"] : ["=", "|"];
  const scale = end_ms === 0 ? 0 : cells / end_ms;
  const from = Math.min(cells - 1, Math.floor(each.offset_ms * scale));
  const duration_ms = each.step.duration_ms;
  const long = Math.max(1, Math.min(cells - from, Math.round((duration_ms ?? 0) * scale)));
  const drawn = duration_ms === null || duration_ms === 0 ? instant : block.repeat(long);
  return pad(" ".repeat(from) + tone(screen, tones[each.step.status] ?? "strong", drawn), cells);
};

const skill = (screen: Screen, each: Placed): string => {
  const branch =
    each.depth === 0 ? "" : `${"  ".repeat(each.depth - 1)}${screen.unicode ? "└ " : "\\ "}`;
  return branch + printable(each.step.skill_name);
};

const state = (screen: Screen, step: TimelineStep): string => {
  const [unicode, ascii] = marks[step.status] ?? ["?", "?"];
  const code = step.outcome_code === null ? "" : ` ${printable(step.outcome_code)}`;
  return `${screen.unicode ? unicode : ascii} ${printable(step.status)}${code}`;
};

const cost = (step: TimelineStep): string =>
  step.cost_cents === null ? "-" : `${Number(step.cost_cents.toFixed(4))} c`;

const longest = (texts: ReadonlyArray<string>): number => Math.max(0, ...texts.map(width));

/**
 * Draws the steps, one line each, no wider than the screen where it can be helped. Where no step has a time there is
 * nothing to scale, and it is a plain list.
 */
export const render = (
  screen: Screen,
  run_started_at: string,
  steps: ReadonlyArray<TimelineStep>,
): string => {
  const { placed, timed, end_ms } = place(run_started_at, steps);
  const indexes = placed.map((each) => String(each.step.step_index));
  const skills = placed.map((each) => skill(screen, each));
  const states = placed.map((each) => state(screen, each.step));
  const offsets = placed.map((each) =>
    each.offset_ms === null ? "-" : `+${Duration.format(Math.max(0, each.offset_ms))}`,
  );
  const durations = placed.map((each) =>
    each.step.duration_ms === null ? "-" : Duration.format(each.step.duration_ms),
  );
  const costs = placed.map((each) => cost(each.step));
  const costed = placed.some((each) => each.step.cost_cents !== null);

  const index_cells = longest(["#", ...indexes]);
  const skill_cells = Math.min(SKILL_CELLS_MAX, longest(["skill", ...skills]));
  const state_cells = Math.min(SKILL_CELLS_MAX, longest(["status", ...states]));
  const offset_cells = timed ? longest(["start", ...offsets]) : 0;
  const duration_cells = longest(["took", ...durations]);
  const cost_cells = costed ? longest(["cost", ...costs]) : 0;
  const fixed = [index_cells, skill_cells, state_cells, offset_cells, duration_cells, cost_cells];
  const used = fixed.filter((cells) => cells > 0).reduce((sum, cells) => sum + cells + 2, 0);
  const bar_cells = timed && end_ms > 0 ? Math.min(BAR_CELLS_MAX, screen.columns - used) : 0;

  const line = (parts: {
    readonly index: string;
    readonly skill: string;
    readonly state: string;
    readonly offset: string;
    readonly bar: string;
    readonly duration: string;
    readonly cost: string;
  }): string =>
    [
      pad(parts.index, index_cells, "right"),
      pad(parts.skill, skill_cells),
      pad(parts.state, state_cells),
      ...(timed ? [pad(parts.offset, offset_cells, "right")] : []),
      ...(bar_cells >= BAR_CELLS_MIN ? [parts.bar] : []),
      pad(parts.duration, duration_cells, "right"),
      ...(costed ? [pad(parts.cost, cost_cells, "right")] : []),
    ]
      .join("  ")
      .trimEnd();

  const scale_end = Duration.format(end_ms);
  const head = line({
    index: "#",
    skill: "skill",
    state: "status",
    offset: "start",
    bar: `0${pad(scale_end, bar_cells - 1, "right")}`,
    duration: "took",
    cost: "cost",
  });
  const rows = placed.map((each, index) =>
    line({
      index: indexes[index] ?? "",
      skill: clip(screen, skills[index] ?? "", skill_cells),
      state: tone(
        screen,
        tones[each.step.status] ?? "strong",
        clip(screen, states[index] ?? "", state_cells),
      ),
      offset: offsets[index] ?? "",
      bar: bar(screen, each, end_ms, bar_cells),
      duration: durations[index] ?? "",
      cost: costs[index] ?? "",
    }),
  );
  return [tone(screen, "quiet", head), ...rows].join("\n");
};

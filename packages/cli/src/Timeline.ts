/** A run's steps drawn as a waterfall: when each began, how long it took, and how it ended. */
import * as Duration from "./Duration.ts";
import { clip, pad, printable, type Screen, type Tone, tone } from "./Screen.ts";
import * as Table from "./Table.ts";

/** What is drawn of a step. */
export interface TimelineStep {
  readonly step_index: number;
  /** Its index as it is drawn: of an intent with its outcome both. */
  readonly label: string;
  readonly parent_step_index: number | null;
  readonly skill_name: string;
  /** What was called, such as `GET /orders/7`; null where the skill's name says it all. Drawn where there is room. */
  readonly call: string | null;
  readonly status: string;
  readonly outcome_code: string | null;
  readonly started_at: string | null;
  readonly duration_ms: number | null;
  readonly cost_cents: number | null;
}

/** Narrower than this a bar says nothing, and the columns are printed without it. */
const BAR_CELLS_MIN = 12;

/** What the bar keeps before a skill's name is drawn beside the call. */
const BAR_CELLS_WANTED = 24;

/** What a call keeps beside a bar. Where that is too much, the bar goes and the call stays. */
const CALL_CELLS_MIN = 16;

/** Wider than this a bar only spreads the eye. */
const BAR_CELLS_MAX = 80;

/** The longest name, call or outcome shown whole. */
const TEXT_CELLS_MAX = 28;

/** Deeper nesting is not indented further. */
const DEPTH_MAX = 8;

/** How a step's status stands out. */
export const statusTones: Readonly<Record<string, Tone>> = {
  success: "good",
  failure: "bad",
  retry: "caution",
  skipped: "quiet",
  "outcome unknown": "bad",
  unknown: "bad",
  "under way": "accent",
};

const marks: Readonly<Record<string, readonly [unicode: string, ascii: string]>> = {
  success: ["✓", "+"],
  failure: ["✗", "x"],
  retry: ["↻", "~"],
  skipped: ["·", "-"],
  "outcome unknown": ["?", "?"],
  "under way": ["…", "."],
};

/** A step with its place in the run: milliseconds from the beginning, null where its source gave no time. */
interface Placed {
  readonly step: TimelineStep;
  readonly depth: number;
  readonly offset_ms: number | null;
}

const place = (run_started_at: string, steps: ReadonlyArray<TimelineStep>) => {
  const starts = steps.map(({ started_at }) =>
    started_at === null ? null : Duration.epochMs(started_at),
  );
  const known = starts.filter((start) => start !== null);
  const zero = known.reduce(
    (least, each) => Math.min(least, each),
    Duration.epochMs(run_started_at) ?? Infinity,
  );
  const depths = new Map<number, number>();
  const placed = steps.map((step, index): Placed => {
    const parent = step.parent_step_index === null ? undefined : depths.get(step.parent_step_index);
    const depth = parent === undefined ? 0 : Math.min(DEPTH_MAX, parent + 1);
    depths.set(step.step_index, depth);
    const start = starts[index] ?? null;
    return { step, depth, offset_ms: start === null ? null : start - zero };
  });
  const end_ms = placed.reduce(
    (latest, { step, offset_ms }) => Math.max(latest, (offset_ms ?? 0) + (step.duration_ms ?? 0)),
    0,
  );
  return { placed, timed: known.length > 0, end_ms };
};

const bar = (screen: Screen, each: Placed, end_ms: number, cells: number): string => {
  if (each.offset_ms === null) return "";
  const [block, instant] = screen.unicode ? ["█", "▏"] : ["=", "|"];
  const scale = end_ms === 0 ? 0 : cells / end_ms;
  const from = Math.min(cells - 1, Math.floor(each.offset_ms * scale));
  const duration_ms = each.step.duration_ms ?? 0;
  const long = Math.max(1, Math.min(cells - from, Math.round(duration_ms * scale)));
  return " ".repeat(from) + (duration_ms === 0 ? instant : block.repeat(long));
};

const branch = (screen: Screen, { depth }: Placed): string =>
  depth === 0 ? "" : `${"  ".repeat(depth - 1)}${screen.unicode ? "└ " : "\\ "}`;

const state = (screen: Screen, step: TimelineStep): string => {
  const [unicode, ascii] = marks[step.status] ?? ["?", "?"];
  const code = step.outcome_code === null ? "" : ` ${printable(step.outcome_code)}`;
  return `${screen.unicode ? unicode : ascii} ${printable(step.status)}${code}`;
};

const milliseconds = (duration_ms: number | null): string =>
  duration_ms === null ? "-" : Duration.format(Math.max(0, duration_ms));

/** A column with what it says of a step. */
interface Column extends Table.Column {
  readonly of: (each: Placed) => string;
  readonly painted?: boolean;
}

/** The columns but the bar: left of the call, the call, between call and bar, right of the bar. */
const columnsOf = (screen: Screen, placed: ReadonlyArray<Placed>, timed: boolean) => {
  const short = (text: string) => clip(screen, text, TEXT_CELLS_MAX);
  const costs = placed.some(({ step }) => step.cost_cents !== null);
  const index: Column = {
    heading: "#",
    align: "right",
    of: ({ step }) => step.label,
  };
  const name: Column = {
    heading: "skill",
    of: (each) => short(branch(screen, each) + printable(each.step.skill_name)),
  };
  const call: Column = {
    heading: "call",
    of: (each) => short(branch(screen, each) + printable(each.step.call ?? each.step.skill_name)),
  };
  const status: Column = {
    heading: "status",
    of: ({ step }) => short(state(screen, step)),
    painted: true,
  };
  const start: Column = {
    heading: "start",
    align: "right",
    of: ({ offset_ms }) => (offset_ms === null ? "-" : `+${milliseconds(offset_ms)}`),
  };
  const took: Column = {
    heading: "took",
    align: "right",
    of: ({ step }) => milliseconds(step.duration_ms),
  };
  const cost: Column = {
    heading: "cost",
    align: "right",
    of: ({ step }) => (step.cost_cents === null ? "-" : `${Number(step.cost_cents.toFixed(4))} c`),
  };
  return {
    index,
    name,
    call,
    middle: timed ? [status, start] : [status],
    right: costs ? [took, cost] : [took],
  };
};

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
  const { index, name, call, middle, right } = columnsOf(screen, placed, timed);
  const cellsOf = (columns: ReadonlyArray<Column>): Table.Rows => ({
    *[Symbol.iterator]() {
      for (const each of placed) {
        const paint = (text: string) =>
          tone(screen, statusTones[each.step.status] ?? "strong", text);
        yield columns.map((column) =>
          column.painted === true ? { text: column.of(each), paint } : { text: column.of(each) },
        );
      }
    },
  });
  const room = (columns: ReadonlyArray<Column>) =>
    screen.columns - Table.widthOf(columns, cellsOf(columns));
  const scaled = timed && end_ms > 0;
  const fixed = [index, ...middle, ...right];
  const calls = steps.some((step) => step.call !== null);
  // A call says its skill, but for `http_call`, whose name goes where there is no room for it.
  const isNamed = steps.some(
    ({ skill_name, call: said }) => said?.startsWith(skill_name) === false,
  );
  const reserved = scaled ? BAR_CELLS_WANTED : 0;
  const named = !calls || (isNamed && room([...fixed, name, call]) >= reserved) ? [name] : [];
  const call_cells = calls ? Table.widthOf([call], cellsOf([call])) : 0;
  const left = room([...fixed, ...named]) - call_cells;
  const least = Math.min(call_cells, CALL_CELLS_MIN + 2);
  const isBarred = scaled && left + call_cells - least >= BAR_CELLS_MIN;
  const cells = Math.min(BAR_CELLS_MAX, Math.max(left, BAR_CELLS_MIN));
  const cut = isBarred ? Math.max(0, cells - left) : Math.max(0, -left);
  const called: ReadonlyArray<Column> = calls
    ? [
        {
          ...call,
          of: (each) => clip(screen, call.of(each), Math.max(CALL_CELLS_MIN, call_cells - 2 - cut)),
        },
      ]
    : [];
  const bars: Column = {
    heading: `0${pad(Duration.format(end_ms), cells - 1, "right")}`,
    of: (each) => bar(screen, each, end_ms, cells),
    painted: true,
  };
  const drawn = isBarred ? [bars] : [];
  const columns = [index, ...named, ...called, ...middle, ...drawn, ...right];
  return Table.render(screen, columns, cellsOf(columns));
};

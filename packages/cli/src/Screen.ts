/** What a stream can show: colour, Unicode, how wide it is, and whether somebody is watching it. */
import * as CliOutput from "effect/cli/CliOutput";
import { stripVTControlCharacters, styleText } from "node:util";

/** The width assumed where a stream is no terminal and `COLUMNS` says nothing. */
export const COLUMNS_DEFAULT = 80;

/** Narrower than this nothing is drawn to fit: the lines wrap instead. */
export const COLUMNS_MIN = 40;

/** What a stream can show. */
export interface Screen {
  readonly colour: boolean;
  readonly unicode: boolean;
  /** A terminal that can redraw a line: progress is shown there and nowhere else. */
  readonly live: boolean;
  readonly columns: number;
}

/** The part of a Node stream that decides what it can show. */
export interface Stream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const isSet = (value: string | undefined): boolean => value !== undefined && value !== "";

const hasUnicode = (env: Environment): boolean => {
  if (process.platform === "win32")
    return isSet(env["WT_SESSION"]) || env["TERM_PROGRAM"] === "vscode";
  if (env["TERM"] === "linux") return false;
  const locale = [env["LC_ALL"], env["LC_CTYPE"], env["LANG"]].find(isSet) ?? "";
  return /utf-?8/iu.test(locale);
};

/**
 * Detects what a stream can show. `NO_COLOR` (any value but the empty one) wins over `FORCE_COLOR`; without either
 * there is colour on a terminal only. Unicode follows the locale.
 */
export const detect = (stream: Stream, env: Environment): Screen => {
  const terminal = stream.isTTY === true && env["TERM"] !== "dumb";
  const forced = isSet(env["FORCE_COLOR"]) && !["0", "false"].includes(env["FORCE_COLOR"] ?? "");
  const columns = stream.columns ?? Number.parseInt(env["COLUMNS"] ?? "", 10);
  return {
    colour: !isSet(env["NO_COLOR"]) && (terminal || forced),
    unicode: hasUnicode(env),
    live: terminal,
    columns: Math.max(COLUMNS_MIN, columns > 0 ? columns : COLUMNS_DEFAULT),
  };
};

/** How a piece of text stands out. */
export type Tone = "good" | "bad" | "caution" | "accent" | "quiet" | "strong";

const formats = {
  good: "green",
  bad: "red",
  caution: "yellow",
  accent: "cyan",
  quiet: "dim",
  strong: "bold",
} as const;

/** Text in a tone, where the screen has colour. */
export const tone = (screen: Screen, name: Tone, text: string): string =>
  screen.colour ? styleText(formats[name], text, { validateStream: false }) : text;

/**
 * Text that came from a plan, a database or a file, safe to print: a control or direction-changing character shows as
 * its code instead of acting on the terminal.
 */
export const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu,
    (character) => {
      const code = character.codePointAt(0) ?? 0;
      return `\\u${code.toString(16).padStart(4, "0")}`;
    },
  );

/** ASCII and what is drawn here: one cell each. */
const NARROW = /^[\u0020-\u007e✓✗↻·…█▏└]*$/u;

/** The number of terminal cells that text takes. */
export const width = (text: string): number =>
  // Nearly all of a long table, and to look it up takes most of the time and the memory of drawing one.
  NARROW.test(text) ? text.length : CliOutput.displayWidth(text);

/** Text filled up with spaces to a number of cells, set to one side. */
export const pad = (text: string, cells: number, align: "left" | "right" = "left"): string => {
  const fill = " ".repeat(Math.max(0, cells - width(text)));
  return align === "left" ? text + fill : fill + text;
};

/** Plain text cut to a number of cells, its end replaced by an ellipsis. */
export const clip = (screen: Screen, text: string, cells: number): string => {
  const plain = stripVTControlCharacters(text);
  if (width(plain) <= cells) return text;
  const ellipsis = screen.unicode ? "…" : "~";
  let kept = "";
  for (const character of plain) {
    if (width(kept + character) > cells - 1) break;
    kept += character;
  }
  return kept + ellipsis;
};

/** Text broken at spaces into lines of at most `cells`, the first behind `first`, the others behind as many spaces. */
export const wrap = (text: string, cells: number, first = ""): string => {
  const indent = width(first);
  const lines: Array<string> = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && indent + width(line) + 1 + width(word) <= cells)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return first + lines.join(`\n${" ".repeat(indent)}`);
};

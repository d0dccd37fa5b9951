/** What every listing is asked with: how long a page is, where it goes on, and times as people give them. */
import { parseJson } from "@runproof/proof/JsonText";
import { normaliseTimestamp, type TimestampInvalid } from "@runproof/proof/Timestamp";
import { InvalidInput } from "@runproof/schemas/RunProofError";
import { isTimestamp } from "@runproof/schemas/Timestamp";
import { isStorable } from "./storableText.ts";

/** Rows of a page where none is asked for: a screenful or two. */
export const DEFAULT_PAGE = 50;
/** Most rows of a page: an answer that stays under a megabyte. */
export const MAX_PAGE = 500;

/** No time, or one out of range. */
export const DATETIME_STATES = ["22007", "22008"];

/** Where a page ended: the last row's time, its trace, and its place in that where the rows are steps. */
export type Position = readonly [at: string, trace_id: string, step_index: number | null];

/** A position as text. */
export const encodeCursor = ([at, trace_id, step_index]: Position): string =>
  Buffer.from(
    JSON.stringify(step_index === null ? [at, trace_id] : [at, trace_id, step_index]),
  ).toString("base64url");

/** The error of a cursor that no listing gave. */
export const foreignCursor = (): InvalidInput =>
  new InvalidInput({
    what: "this cursor was not given by a listing",
    where: "cursor",
    remedy: "Pass next_cursor of the page before as it is, or leave it out to start at the newest.",
  });

/** A time as a listing gives it: a record's, or what a row was edited to. */
const isListedTime = (value: unknown): value is string =>
  isStorable(value) && (isTimestamp(value) || /^-?infinity$| BC$/u.test(value));

/** The position that a cursor stands for, in a listing whose rows are traces or steps. */
export const decodeCursor = (cursor: string, rows: "traces" | "steps"): Position | InvalidInput => {
  try {
    const value: unknown = parseJson(Buffer.from(cursor, "base64url").toString("utf8"));
    if (Array.isArray(value) && value.length === (rows === "steps" ? 3 : 2)) {
      const [at, trace_id, step_index = null] = value as ReadonlyArray<unknown>;
      const isPlace = rows === "traces" || Number.isSafeInteger(step_index);
      if (isListedTime(at) && isStorable(trace_id) && isPlace)
        return [at, trace_id, step_index as number | null];
    }
  } catch {
    // Told below.
  }
  return foreignCursor();
};

/** A time of a filter in the record's form; null where none is given. */
export const timeOf = (where: string, value: string | undefined): string | InvalidInput | null => {
  if (value === undefined) return null;
  try {
    return normaliseTimestamp(value);
  } catch (error) {
    const { what, remedy } = error as TimestampInvalid;
    return new InvalidInput({ what, where, remedy });
  }
};

/** What is wrong with a filter's texts, if anything is. */
export const invalidText = (filter: object): InvalidInput | undefined => {
  const found = Object.entries(filter).find(
    ([, value]) => typeof value === "string" && !isStorable(value),
  );
  return found === undefined
    ? undefined
    : new InvalidInput({
        what: "it has a U+0000, which no stored text has",
        where: found[0],
        remedy: "Leave that character out.",
      });
};

/** What is wrong with the length of a page, if anything is. */
export const invalidLimit = (limit: number): InvalidInput | undefined =>
  Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE
    ? undefined
    : new InvalidInput({
        what: `${limit} is not from 1 to ${MAX_PAGE}`,
        where: "limit",
        remedy: "Ask for fewer; follow next_cursor.",
      });

/** A text as it stands within JSON text: a quote or a line break as its escape. */
export const escapedText = (text: string): string => JSON.stringify(text).slice(1, -1);

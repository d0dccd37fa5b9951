/** Reads the JSON of a source, line by line or as a whole, and gives each event with its place. */
import type { JsonValue } from "@runproof/proof/CanonicalJson";
import { JsonTextError, parseJson } from "@runproof/proof/JsonText";
import { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type * as Stream from "effect/Stream";
import type { ImportFormat } from "../ImportSettings.ts";
import { isRefusal } from "../../internal/refused.ts";
import { forEachLine, type Line, LINE_BYTES_MAX } from "./Lines.ts";
import { ndjsonEvent } from "./ndjsonEvent.ts";
import type { SourceEvent } from "./SourceEvent.ts";
import { transcriptEvents, transcriptsOf } from "./transcriptEvents.ts";

/** The events of one run or line, their place, and how much of the source is read. */
export interface SourcePart {
  readonly where: string;
  readonly events: ReadonlyArray<SourceEvent>;
  readonly bytes_done: number;
  /** Runs in the whole source; null where that is not known yet. */
  readonly runs_total: number | null;
}

/** Gives each part of a source to `handle`, in order, waiting for it. */
export const forEachPart = <E, R, E2, R2>(
  source: {
    readonly name: string;
    readonly format: ImportFormat;
    readonly bytes: Stream.Stream<Uint8Array, E, R>;
  },
  handle: (part: SourcePart) => Effect.Effect<void, E2, R2>,
): Effect.Effect<void, E | E2 | InvalidInput, R | R2> =>
  source.format === "ndjson"
    ? forEachLine(source.bytes, source.name, (line) => ndjsonPart(source.name, line, handle))
    : forEachTranscript(source, handle);

/** Gives the value of each line that is not blank to `handle`, in order, waiting for it. */
export const forEachValue = <E, R, E2, R2>(
  source: { readonly name: string; readonly bytes: Stream.Stream<Uint8Array, E, R> },
  handle: (value: JsonValue) => Effect.Effect<void, E2, R2>,
): Effect.Effect<void, E | E2 | InvalidInput, R | R2> =>
  forEachLine(source.bytes, source.name, ({ number, text }) =>
    isBlank(text)
      ? Effect.void
      : Effect.flatMap(
          readable(`${source.name}:${number}`, () => parseJson(text)),
          handle,
        ),
  );

const ndjsonPart = <E, R>(
  name: string,
  line: Line,
  handle: (part: SourcePart) => Effect.Effect<void, E, R>,
): Effect.Effect<void, E | InvalidInput, R> => {
  if (isBlank(line.text)) return Effect.void;
  const where = `${name}:${line.number}`;
  const { bytes_done } = line;
  return Effect.flatMap(
    readable(where, () => ndjsonEvent(parseJson(line.text))),
    (event) => handle({ where, events: [event], bytes_done, runs_total: null }),
  );
};

const isBlank = (text: string): boolean => /^[ \t\r]*$/u.test(text);

/**
 * A file whose first line is a JSON value by itself has one on each line; any other is one value over all lines. A whole
 * value is read before its first run is written.
 */
const forEachTranscript = <E, R, E2, R2>(
  source: { readonly name: string; readonly bytes: Stream.Stream<Uint8Array, E, R> },
  handle: (part: SourcePart) => Effect.Effect<void, E2, R2>,
) =>
  Effect.suspend(() => {
    const { name } = source;
    let whole: { readonly first: number; readonly lines: Array<string>; bytes: number } | null =
      null;
    let isByLine = false;
    let bytes_done = 0;
    const take = (line: Line): Effect.Effect<void, E2 | InvalidInput, R2> => {
      bytes_done = line.bytes_done;
      if (whole !== null) return hold(line);
      if (isBlank(line.text)) return Effect.void;
      const where = `${name}:${line.number}`;
      if (!isByLine && !isJson(line.text)) {
        whole = { first: line.number, lines: [], bytes: 0 };
        return hold(line);
      }
      isByLine = true;
      return Effect.flatMap(
        readable(where, () => parseJson(line.text)),
        (value) => forEachOf(value, () => where, line.bytes_done, handle),
      );
    };
    const hold = (line: Line): Effect.Effect<void, InvalidInput> => {
      whole!.lines.push(line.text);
      whole!.bytes += line.text.length + 1;
      return whole!.bytes <= LINE_BYTES_MAX ? Effect.void : Effect.fail(tooLarge(name));
    };
    const rest = Effect.suspend((): Effect.Effect<void, E2 | InvalidInput, R2> => {
      if (whole === null) return Effect.void;
      const { first, lines } = whole;
      return Effect.flatMap(readWhole(name, first, lines.join("\n")), (value) =>
        forEachOf(value, (path) => `${name} ${path}`, bytes_done, handle),
      );
    });
    return Effect.andThen(forEachLine(source.bytes, name, take), rest);
  });

const forEachOf = <E, R>(
  value: JsonValue,
  whereOf: (path: string) => string,
  bytes_done: number,
  handle: (part: SourcePart) => Effect.Effect<void, E, R>,
): Effect.Effect<void, E | InvalidInput, R> => {
  const transcripts = transcriptsOf(value);
  const runs_total = transcripts.length > 1 ? transcripts.length : null;
  return Effect.forEach(
    transcripts,
    (transcript) => {
      const where = whereOf(transcript.path);
      return Effect.flatMap(
        readable(where, () => transcriptEvents(transcript)),
        (events) => handle({ where, events, bytes_done, runs_total }),
      );
    },
    { discard: true },
  );
};

const readWhole = (
  name: string,
  first: number,
  text: string,
): Effect.Effect<JsonValue, InvalidInput> =>
  Effect.try({
    try: () => parseJson(text),
    catch: (error) => {
      if (!(error instanceof JsonTextError)) throw error;
      return unreadableJson(`${name}:${first + error.line - 1}`, error);
    },
  });

/** JSON that can't be read, at its line (in `where`) and column. */
const unreadableJson = (where: string, { path, reason, column, remedy }: JsonTextError) =>
  new InvalidInput({ what: `${path}: ${reason}`, where: `${where}:${column}`, remedy });

const tooLarge = (name: string) =>
  new InvalidInput({
    what: `a JSON value of more than ${LINE_BYTES_MAX} bytes`,
    where: name,
    remedy: "Write one transcript a line: lines are read one by one.",
  });

const isJson = (text: string): boolean => {
  try {
    parseJson(text);
    return true;
  } catch {
    return false;
  }
};

const readable = <A>(where: string, make: () => A): Effect.Effect<A, InvalidInput> =>
  Effect.try({
    try: make,
    catch: (error) => {
      if (error instanceof JsonTextError) return unreadableJson(where, error);
      if (!isRefusal(error)) throw error;
      return new InvalidInput({ what: error.message, where, remedy: error.remedy });
    },
  });

/** Lines of a byte stream, one at a time, with nothing lost: what is not UTF-8 is refused and not replaced. */
import { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Stream from "effect/Stream";

/**
 * Bytes of one line, or of a JSON file that is one value: each is held in memory with its parsed value, which takes
 * several times as much.
 */
export const LINE_BYTES_MAX = 128 * 1024 * 1024;

const NEWLINE = 0x0a;

/** One line, without its line feed. */
export interface Line {
  /** 1 for the first. */
  readonly number: number;
  readonly text: string;
  /** Bytes of the source up to the line's end. */
  readonly bytes_done: number;
}

/** Splits bytes that come in chunks into lines. */
class LineSplitter {
  readonly #name: string;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #parts: Array<Uint8Array> = [];
  #part_bytes = 0;
  #number = 0;
  #bytes_done = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** The lines that a chunk ends. */
  push(chunk: Uint8Array): Array<Line> {
    const lines: Array<Line> = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#hold(chunk.subarray(start, end));
      this.#bytes_done += 1;
      lines.push(this.#take());
      start = end + 1;
    }
    this.#hold(chunk.subarray(start));
    return lines;
  }

  /** The last line, where the source does not end in a line feed. */
  end(): Array<Line> {
    return this.#part_bytes === 0 ? [] : [this.#take()];
  }

  #hold(part: Uint8Array): void {
    this.#part_bytes += part.length;
    this.#bytes_done += part.length;
    if (this.#part_bytes > LINE_BYTES_MAX) {
      throw this.#refusal(
        `longer than ${LINE_BYTES_MAX} bytes`,
        "Write one run, step or transcript a line, in files that are smaller.",
      );
    }
    if (part.length > 0) this.#parts.push(part);
  }

  #take(): Line {
    const bytes = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#part_bytes = 0;
    const text = this.#decode(bytes ?? new Uint8Array());
    this.#number += 1;
    return { number: this.#number, text, bytes_done: this.#bytes_done };
  }

  #decode(bytes: Uint8Array): string {
    try {
      const text = this.#decoder.decode(bytes);
      return this.#number === 0 ? text.replace(/^\ufeff/u, "") : text;
    } catch {
      throw this.#refusal("not valid UTF-8", "Write the file in UTF-8.");
    }
  }

  #refusal(what: string, remedy: string): InvalidInput {
    return new InvalidInput({ what, where: `${this.#name}:${this.#number + 1}`, remedy });
  }
}

/** Gives each line to `handle`, in order, waiting for it. `name` stands for the source in errors, which name `NAME:LINE`. */
export const forEachLine = <E, R, E2, R2>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  name: string,
  handle: (line: Line) => Effect.Effect<void, E2, R2>,
): Effect.Effect<void, E | E2 | InvalidInput, R | R2> =>
  Effect.suspend(() => {
    const splitter = new LineSplitter(name);
    const each = (split: () => Array<Line>) =>
      Effect.flatMap(
        Effect.try({ try: split, catch: (error) => error as InvalidInput }),
        Effect.forEach(handle, { discard: true }),
      );
    return Effect.andThen(
      Stream.runForEach(bytes, (chunk) => each(() => splitter.push(chunk))),
      each(() => splitter.end()),
    );
  });

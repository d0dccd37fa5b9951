/** The two streams of a command: data on stdout, notes on stderr. */
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { Writable } from "node:stream";
import { detect, type Screen, type Stream } from "./Screen.ts";

/**
 * Where a command writes. `data` is what was asked for and goes to stdout; `note` is everything said about it and goes to
 * stderr. Both add the final newline and return when the system has taken the bytes, so that leaving right after loses none.
 */
export class Output extends Context.Service<
  Output,
  {
    readonly stdout: Screen;
    readonly stderr: Screen;
    readonly data: (text: string) => Effect.Effect<void>;
    /** A part of what was asked for, as it is: the next follows with no newline between. */
    readonly piece: (text: string) => Effect.Effect<void>;
    readonly note: (text: string) => Effect.Effect<void>;
    /** Bytes for stderr as they are, to redraw a line. Only where `stderr.live`. */
    readonly redraw: (text: string) => Effect.Effect<void>;
  }
>()("@runproof/cli/Output") {
  static readonly layer = ({ stdout, stderr, env }: Terminal) =>
    Layer.sync(Output, () => {
      leaveErrorsToWrites(stdout);
      leaveErrorsToWrites(stderr);
      return {
        stdout: detect(stdout, env),
        stderr: detect(stderr, env),
        data: (text) => write(stdout, `${text}\n`),
        piece: (text) => write(stdout, text),
        note: (text) => write(stderr, `${text}\n`),
        redraw: (text) => write(stderr, text),
      };
    });
}

/** The streams that a command writes to, and the environment that it runs in. */
export interface Terminal {
  readonly stdout: Writable & Stream;
  readonly stderr: Writable & Stream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A reader such as `head` that has read enough is no error: the rest is thrown away and the command goes on to its end. */
const isClosed = (error: NodeJS.ErrnoException): boolean =>
  error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED";

/** Anything else that keeps output from being written, such as a full disk, ends the command: it must not end well. */
const write = (stream: Writable, text: string): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    stream.write(text, (error) => {
      resume(error == null || isClosed(error) ? Effect.void : Effect.die(error));
    });
  });

/** Without a listener a stream's error would end the process before the write that it belongs to could say so. */
const leaveErrorsToWrites = (stream: Writable): void => {
  stream.on("error", () => {});
};

/** Prints one JSON document on stdout. */
export const printJson = Effect.fnUntraced(function* (value: unknown) {
  const output = yield* Output;
  yield* output.data(JSON.stringify(value, null, output.stdout.live ? 2 : 0));
});

/**
 * Prints one JSON document on stdout whose large parts come some at a time: arrays by name in the order given, each complete
 * before the next begins, and then the other members.
 */
export const jsonInParts = Effect.fnUntraced(function* <Part extends string>(
  parts: ReadonlyArray<Part>,
) {
  const { piece, stdout } = yield* Output;
  const separator = stdout.live ? "\n  " : "";
  let text = "{";
  let begun = 0;
  let isFirst = true;
  const beginUpTo = (count: number) => {
    for (; begun < count; begun += 1) {
      text += `${begun === 0 ? "" : "],"}${separator}${JSON.stringify(parts[begun])}:[`;
      isFirst = true;
    }
  };
  const flush = Effect.suspend(() => {
    const ready = text;
    text = "";
    return piece(ready);
  });
  return {
    add: (part: Part, values: ReadonlyArray<unknown>) =>
      Effect.suspend(() => {
        beginUpTo(parts.indexOf(part) + 1);
        for (const value of values) {
          text += `${isFirst ? "" : ","}${separator}${JSON.stringify(value)}`;
          isFirst = false;
        }
        return flush;
      }),
    end: (others: object) =>
      Effect.suspend(() => {
        beginUpTo(parts.length);
        text += "]";
        for (const [name, value] of Object.entries(others))
          text += `,${separator}${JSON.stringify(name)}:${JSON.stringify(value)}`;
        text += stdout.live ? "\n}\n" : "}\n";
        return flush;
      }),
  };
});

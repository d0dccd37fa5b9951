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

/** Child processes of the tests: this package's sources, run as they are. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as Effect from "effect/Effect";

/** A running child and the lines of its output. */
export interface Child {
  readonly process: ChildProcess;
  /** All lines so far. */
  readonly lines: ReadonlyArray<string>;
  /** The next line that matches, also one that is there already. Rejects where the child ends without one. */
  readonly line: (pattern: RegExp) => Effect.Effect<string>;
  /** Ends it as nothing can be caught, and waits until it is gone. */
  readonly kill: Effect.Effect<void>;
  /** Ends its input and waits until it is gone. */
  readonly end: Effect.Effect<void>;
}

/** Starts a file of this folder in a process of its own; killed with the scope. */
export const child = (
  file: string,
  args: ReadonlyArray<string> = [],
  options: { readonly uid?: number; readonly env?: NodeJS.ProcessEnv } = {},
) =>
  Effect.acquireRelease(
    Effect.sync((): Child => {
      const running = spawn(process.execPath, [join(import.meta.dirname, file), ...args], {
        stdio: ["pipe", "pipe", "pipe"],
        ...(options.uid === undefined ? {} : { uid: options.uid }),
        env: { ...process.env, ...options.env },
      });
      const lines: Array<string> = [];
      let errors = "";
      running.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
      const waiting = new Set<() => void>();
      const wake = () => waiting.forEach((look) => look());
      createInterface({ input: running.stdout }).on("line", (line) => {
        lines.push(line);
        wake();
      });
      let isGone = false;
      const gone = once(running, "close").then(() => {
        isGone = true;
        wake();
      });
      const line = (pattern: RegExp) =>
        Effect.callback<string>((resume) => {
          const look = () => {
            const found = lines.find((each) => pattern.test(each));
            if (found === undefined && !isGone) return;
            waiting.delete(look);
            if (found !== undefined) resume(Effect.succeed(found));
            else
              resume(Effect.die(new Error(`${file} ended without ${String(pattern)}: ${errors}`)));
          };
          waiting.add(look);
          look();
        });
      const untilGone = (end: () => void) =>
        Effect.promise(() => {
          end();
          return gone;
        });
      return {
        process: running,
        lines,
        line,
        kill: untilGone(() => running.kill("SIGKILL")),
        end: untilGone(() => running.stdin.end()),
      };
    }),
    ({ kill }) => kill,
  );

/** Runs a program to its end and keeps what it printed. */
import { spawn } from "node:child_process";
import process from "node:process";

export interface CommandEnd {
  /** The exit code; 1 where a signal ended it, 127 where it could not be started. */
  readonly code: number;
  /** Both output streams, as they came. */
  readonly output: string;
}

/** Runs a program of PATH in a folder, with nothing on its standard input. */
export function runCommand(
  program: string,
  args: ReadonlyArray<string>,
  folder: string,
): Promise<CommandEnd> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
    });
    let output = "";
    const take = (chunk: string) => (output += chunk);
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    child.on("error", (error) => resolve({ code: 127, output: output + error.message }));
    child.on("close", (code, signal) =>
      resolve({
        code: code ?? 1,
        output: signal === null ? output : `${output}ended by ${signal}`,
      }),
    );
  });
}

/** What a program printed, where it did not end with 0. */
export async function failureOf(
  program: string,
  args: ReadonlyArray<string>,
  folder: string,
): Promise<string | undefined> {
  const { code, output } = await runCommand(program, args, folder);
  return code === 0 ? undefined : `${output.trimEnd()}\n${program} ended with ${code}`;
}

/** What the layers below a command log, as plain lines on stderr or as JSON. */
import * as Layer from "effect/Layer";
import * as Logger from "effect/Logger";
import type * as LogLevel from "effect/LogLevel";
import * as References from "effect/References";
import type { Failure } from "./ExitCode.ts";
import { printable } from "./Screen.ts";

type Level = "warning" | "error";

const levelOf = (level: LogLevel.LogLevel): Level => (level === "Warn" ? "warning" : "error");

const textOf = (message: unknown): string =>
  (Array.isArray(message) ? message : [message]).map(String).join(" ");

const render = (level: Level, message: string, json: boolean): string =>
  json ? JSON.stringify({ log: { level, message } }) : `${level}: ${printable(message)}`;

/** The log of one command: where it goes, and what is left to say when the command has ended. */
export interface CommandLog {
  readonly layer: Layer.Layer<never>;
  /** The errors that were held back, without those that the command's own failure says too. */
  readonly rest: (failure: Failure | null) => ReadonlyArray<string>;
}

/** Writes warnings at once, and keeps errors for the end: the command may fail for the same reason and say it better. */
export const make = (json: boolean, write: (line: string) => void): CommandLog => {
  const held: Array<string> = [];
  const logger = Logger.make<unknown, void>(({ message, logLevel }) => {
    const level = levelOf(logLevel);
    if (level === "error") held.push(textOf(message));
    else write(render(level, textOf(message), json));
  });
  return {
    layer: Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "Warn")),
    rest: (failure) => {
      const said = failure?.message ?? null;
      return held
        .filter((message) => said === null || !message.includes(said))
        .map((message) => render("error", message, json));
    },
  };
};

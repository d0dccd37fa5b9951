/** Help as it is printed: within the screen's width, and with the exit codes under it. */
import * as CliOutput from "effect/cli/CliOutput";
import type { HelpDoc } from "effect/cli/HelpDoc";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as ExitCode from "./ExitCode.ts";
import { Output } from "./Output.ts";
import { type Screen, tone, width, wrap } from "./Screen.ts";

/** A line of a name and its description, which stand at least two spaces apart. */
const DESCRIBED = /^(?<name>.*\S {2,})(?<description>\S.*)$/u;

const fitLine = (line: string, columns: number): string => {
  const parts = DESCRIBED.exec(line)?.groups;
  if (width(line) <= columns || parts === undefined) return line;
  return wrap(parts["description"] ?? "", columns, parts["name"]);
};

/** The exit codes, as a section of the help. */
const exitCodes = (screen: Screen): string => {
  const rows = ExitCode.meanings.map(([code, meaning]) =>
    wrap(meaning, screen.columns, `  ${String(code).padStart(3)}  `),
  );
  return `${tone(screen, "strong", "EXIT CODES")}\n${rows.join("\n")}`;
};

/** Says of each flag that has no default that it must be given. */
const markRequired = (doc: HelpDoc): HelpDoc => ({
  ...doc,
  flags: doc.flags.map((flag) => ({
    ...flag,
    description: Option.map(flag.description, (text) =>
      flag.required ? `${text} (required)` : text,
    ),
  })),
});

/** Draws the help of a command. */
export const render = (screen: Screen, doc: HelpDoc): string => {
  const formatter = CliOutput.defaultFormatter({ colors: screen.colour, globalFlags: "summary" });
  const lines = formatter.formatHelpDoc(markRequired(doc)).split("\n");
  const fitted = lines.map((line) => fitLine(line, screen.columns)).join("\n");
  return `${fitted}\n\n${exitCodes(screen)}`;
};

/** Prints help and version on stdout. What is wrong with an invocation is said at the end, with its exit code. */
export const presenter = Layer.effect(
  CliOutput.Presenter,
  Effect.map(Output, ({ stdout, data }) => ({
    present: (event) => {
      switch (event._tag) {
        case "Version":
          return data(`runproof ${event.version}`);
        case "Help":
          // A group such as `traces` without its subcommand is a wrong invocation; the bare command is not.
          if (event.reason === "Implicit" && event.commandPath.length > 1) return Effect.void;
          return data(render(stdout, event.helpDoc));
        case "InvalidInvocation":
          return Effect.void;
      }
    },
  })),
);

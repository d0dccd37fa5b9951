/** The `runproof` command: its subcommands, its help, and how it ends. */
import { parseJson } from "@runproof/proof/JsonText";
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as NodeServices from "@effect/platform-node/NodeServices";
import * as CliConfig from "effect/cli/CliConfig";
import * as Command from "effect/cli/Command";
import * as GlobalFlag from "effect/cli/GlobalFlag";
import * as ConfigProvider from "effect/ConfigProvider";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Layer from "effect/Layer";
import { readFileSync } from "node:fs";
import * as Archive from "./commands/Archive.ts";
import * as AttackTest from "./commands/AttackTest.ts";
import * as Audit from "./commands/Audit.ts";
import * as Checkpoint from "./commands/Checkpoint.ts";
import * as Demo from "./commands/Demo.ts";
import * as Diff from "./commands/Diff.ts";
import * as Doctor from "./commands/Doctor.ts";
import * as Erase from "./commands/Erase.ts";
import * as Evidence from "./commands/Evidence.ts";
import * as Holds from "./commands/Holds.ts";
import * as Hooks from "./commands/Hooks.ts";
import * as Import from "./commands/Import.ts";
import * as Keys from "./commands/Keys.ts";
import * as Limits from "./commands/Limits.ts";
import * as Log from "./commands/Log.ts";
import * as Migrate from "./commands/Migrate.ts";
import * as Policies from "./commands/Policies.ts";
import * as Proof from "./commands/Proof.ts";
import * as Replay from "./commands/Replay.ts";
import * as Retention from "./commands/Retention.ts";
import * as Run from "./commands/Run.ts";
import * as Signals from "./commands/Signals.ts";
import * as Serve from "./commands/Serve.ts";
import * as Sweep from "./commands/Sweep.ts";
import * as Tenants from "./commands/Tenants.ts";
import * as Traces from "./commands/Traces.ts";
import * as Validate from "./commands/Validate.ts";
import * as Verify from "./commands/Verify.ts";
import * as Stats from "./commands/Stats.ts";
import * as Steps from "./commands/Steps.ts";
import { tieValues } from "./Arguments.ts";
import * as ExitCode from "./ExitCode.ts";
import * as Help from "./Help.ts";
import * as CommandLog from "./Log.ts";
import * as Options from "./Options.ts";
import { Output, type Terminal } from "./Output.ts";
import { root } from "./Root.ts";

/** The version in this package's `package.json`. */
export const version: string = (
  parseJson(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as unknown as {
    readonly version: string;
  }
).version;

/** The whole command, with every subcommand. */
export const command = root.pipe(
  Command.withSubcommands([
    { group: "Begin", commands: [Demo.command] },
    { group: "Record", commands: [Run.command, Import.command] },
    {
      group: "Look",
      commands: [
        Traces.command,
        Steps.command,
        Stats.command,
        Diff.command,
        Replay.command,
        Evidence.command,
        Signals.command,
      ],
    },
    { group: "Prove", commands: [Proof.command, Verify.command, Validate.command] },
    { group: "Sign", commands: [Checkpoint.command, Log.command, Keys.command] },
    { group: "Govern", commands: [Policies.command, Limits.command] },
    {
      group: "Keep",
      commands: [Archive.command, Retention.command, Holds.command, Erase.command],
    },
    {
      group: "Operate",
      commands: [
        Migrate.command,
        Doctor.command,
        Sweep.command,
        Serve.command,
        Hooks.command,
        Tenants.command,
        Audit.command,
        AttackTest.command,
      ],
    },
  ]),
);

/** A command line that is ready to run. */
export interface Program {
  readonly effect: Effect.Effect<void, unknown>;
  /** What is left to say on stderr once it has ended so, and its exit code. */
  readonly conclude: (
    exit: Exit.Exit<void, unknown>,
    isSignalled: boolean,
  ) => { readonly code: number; readonly lines: ReadonlyArray<string> };
}

/** The program of a command line on a terminal. */
export const program = (args: ReadonlyArray<string>, terminal: Terminal): Program => {
  const json = args.includes("--json");
  const log = CommandLog.make(json, (line) => void terminal.stderr.write(`${line}\n`));
  const environment = Layer.mergeAll(
    Help.presenter,
    CliConfig.layer({
      builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions],
    }),
    NodeServices.layer,
    ConfigProvider.layer(ConfigProvider.fromEnv({ env: definedOf(terminal.env) })),
    log.layer,
  ).pipe(Layer.provideMerge(Output.layer(terminal)));
  return {
    effect: Command.runWith(command, { version })(tieValues(args, Options.isToggle)).pipe(
      Effect.provide(environment),
    ),
    conclude: (exit, isSignalled) => {
      const failure = Exit.isSuccess(exit) ? null : ExitCode.ofCause(exit.cause, isSignalled);
      const rest = log.rest(failure);
      if (failure === null) return { code: 0, lines: rest };
      const text = ExitCode.render(failure, json);
      return { code: failure.code, lines: text === null ? rest : [...rest, text] };
    },
  };
};

const definedOf = (env: Terminal["env"]): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );

/** Leaves with a code once everything written before has been taken by the system. */
const leave = (code: number): void => {
  process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
};

/**
 * Runs the command with `args` as the process's main program, and ends the process with the exit code. SIGINT and
 * SIGTERM interrupt it, and it ends when what was begun is closed (a run is sealed as aborted); a second one ends it at once.
 */
export const main = (args: ReadonlyArray<string>): void => {
  const { effect, conclude } = program(args, process);
  let signals = 0;
  const count = () => {
    signals += 1;
    if (signals > 1) process.exit(130);
  };
  process.on("SIGINT", count);
  process.on("SIGTERM", count);
  NodeRuntime.runMain(effect, {
    disableErrorReporting: true,
    teardown: (exit) => {
      const { code, lines } = conclude(Exit.asVoid(exit), signals > 0);
      for (const line of lines) process.stderr.write(`${line}\n`);
      leave(code);
    },
  });
};

/** The command and what it draws, each as a namespace; import one alone by its file: `@runproof/cli/Timeline`. */
export * as Cli from "./Cli.ts";
export * as ExitCode from "./ExitCode.ts";
export * as Timeline from "./Timeline.ts";
export * as Verdict from "./Verdict.ts";

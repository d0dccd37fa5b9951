/**
 * The one place where an error becomes an exit code, a sentence and a remedy.
 *
 * The table is keyed by the tags of `RunProofError.ts`: an error added there does not compile until it has a code here.
 */
import { makeRedactor } from "@runproof/proof/Redaction";
import { DEFAULT_RULES } from "@runproof/proof/RedactionRules";
import type * as RunProofError from "@runproof/schemas/RunProofError";
import * as Cause from "effect/Cause";
import type * as CliError from "effect/cli/CliError";
import * as Data from "effect/Data";

/** What each exit code means, as `--help` prints it. */
export const meanings = [
  [0, "done, VERIFIED, or PARITY"],
  [1, "unexpected error"],
  [2, "bad argument or input"],
  [3, "not found"],
  [4, "not authorised"],
  [5, "database or network unreachable, or not ready (locked, not migrated)"],
  [6, "FAILED: the evidence contradicts"],
  [7, "UNSUPPORTED: can't be verified or replayed, or nothing to audit"],
  [8, "the run ended failed or aborted"],
  [9, "DIVERGED: two runs differ, or a replay's checks do"],
  [10, "an audit was cut off: part of it was not checked"],
  [130, "interrupted (SIGINT or SIGTERM)"],
] as const satisfies ReadonlyArray<readonly [number, string]>;

/** An exit code of the table. */
export type ExitCode = (typeof meanings)[number][0];

type Errors = typeof RunProofError;

/** Every typed error that can cross a layer. */
export type AnyRunProofError = {
  [Name in keyof Errors]: Errors[Name] extends abstract new (...args: never) => infer Instance
    ? Instance extends { readonly _tag: string; readonly message: string; readonly remedy: string }
      ? Instance
      : never
    : never;
}[keyof Errors];

const codes: Record<AnyRunProofError["_tag"], ExitCode> = {
  InvalidInput: 2,
  ConfigurationInvalid: 2,
  FileFailed: 2,
  RunExists: 2,
  IdempotencyConflict: 2,
  RunRepeated: 2,
  // A script may wait for it.
  IdempotencyInProgress: 5,
  SkillUnknown: 2,
  NotReplayable: 7,
  RunNotFound: 3,
  RunDeleted: 3,
  TraceNotFound: 3,
  // Who set the hold decides.
  RunHeld: 4,
  NotAuthorised: 4,
  DatabaseUnreachable: 5,
  DatabaseUnfit: 5,
  DatabaseMissing: 5,
  // The database answers but can't serve yet; a script may wait for it or migrate it, as for one that is down.
  SchemaMismatch: 5,
  EmbeddedLocked: 5,
  // Rows that are not what the format says they are contradict it, even where no verdict was asked for.
  StoredDataUnreadable: 6,
  SchemaDamaged: 6,
  // Another writer, a sweeper or an administrator came between a run and its trace: that run is over.
  StepBlocked: 8,
  RunRefused: 4,
  TraceSealed: 8,
  ChainMoved: 8,
  LeaseLost: 8,
  ImmutabilityViolation: 1,
  ChainMismatch: 6,
  LogForked: 6,
  LogShrunk: 6,
  // The signer can't tell any more whether the log was rewritten.
  SignerStateInvalid: 7,
  LockHeld: 5,
  LogEntryNotFound: 3,
  DatabaseFailed: 1,
  AuditUnfinished: 10,
};

/** A command that has said all there is to say on stdout, and whose answer is not a success. */
export class Concluded extends Data.TaggedError("Concluded")<{ readonly code: ExitCode }> {}

/** What the process says and answers when a command fails. `message` is null when the command has said it. */
export interface Failure {
  readonly code: ExitCode;
  readonly tag: string;
  readonly message: string | null;
  readonly remedy: string | null;
}

/** The exit code of a typed error. */
export const ofError = (error: AnyRunProofError): ExitCode => codes[error._tag];

const isRunProofError = (u: object): u is AnyRunProofError =>
  "_tag" in u && typeof u._tag === "string" && Object.hasOwn(codes, u._tag);

const isShowHelp = (u: object): u is CliError.ShowHelp => "_tag" in u && u._tag === "ShowHelp";

/**
 * The failure of a wrong invocation: what is wrong with each flag or argument, and where the help is. The bare command
 * has printed its help, and that is no failure.
 */
export const ofInvocation = (error: Pick<CliError.ShowHelp, "commandPath" | "errors">): Failure => {
  const path = error.commandPath.join(" ");
  if (error.errors.length === 0 && error.commandPath.length === 1) {
    return { code: 0, tag: "Help", message: null, remedy: null };
  }
  const messages = error.errors.map((each) => each.message.replace(/\s*\n\s*/gu, " "));
  return {
    code: 2,
    tag: "InvalidInvocation",
    message: messages.length > 0 ? messages.join("\n       ") : `${path}: a subcommand is missing`,
    remedy: `${path} --help`,
  };
};

/**
 * The failure that the cause of a command's end stands for. An interruption by a signal has no message: the signal was
 * the user's. One that came without a signal is unexpected.
 */
export const ofCause = (cause: Cause.Cause<unknown>, signalled: boolean): Failure => {
  if (signalled && Cause.hasInterruptsOnly(cause)) {
    return { code: 130, tag: "Interrupted", message: null, remedy: null };
  }
  const error = Cause.squash(cause);
  if (error instanceof Concluded) {
    return { code: error.code, tag: "Concluded", message: null, remedy: null };
  }
  if (typeof error === "object" && error !== null) {
    if (isRunProofError(error)) {
      return {
        code: ofError(error),
        tag: error._tag,
        message: error.message,
        remedy: error.remedy,
      };
    }
    if (isShowHelp(error)) return ofInvocation(error);
  }
  return {
    code: 1,
    tag: "Unexpected",
    message: Cause.pretty(cause),
    remedy:
      "report this with the text above; `runproof audit` says whether what is stored is whole",
  };
};

/** Nothing that is printed shows what a record masks. */
const redactor = makeRedactor(DEFAULT_RULES);

/** A failure as it is printed on stderr: two lines, or one JSON document where `--json` was given. */
export const render = (failure: Failure, json: boolean): string | null => {
  if (failure.message === null) return null;
  const message = redactor.text(failure.message);
  if (json) {
    const { code, tag, remedy } = failure;
    return JSON.stringify({ error: { code, tag, message, remedy } });
  }
  return `error: ${message}${failure.remedy === null ? "" : `\n  try: ${failure.remedy}`}`;
};

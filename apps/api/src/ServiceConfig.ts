/** What a service is told by its environment and flags: checked at its start, with all that is wrong at once. */
import { ConfigurationInvalid } from "@runproof/schemas/RunProofError";
import * as Config from "effect/Config";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";

/** The port where nothing names one. */
export const DEFAULT_PORT = 8787;

/** Only this machine reaches the service where nothing names another address. */
export const DEFAULT_HOST = "127.0.0.1";

/** Characters of a service's secret at least: what a holder is derived from must not be guessed. */
const SECRET_CHARACTERS_MIN = 32;

/** What may be given in place of the environment. */
export interface ServiceFlags {
  readonly port?: number | undefined;
  readonly host?: string | undefined;
}

/** A checked configuration. */
export interface ServiceConfig {
  readonly port: number;
  readonly host: string;
  /** What all processes of the service share; none where there is one process, which then draws its own. */
  readonly holder_secret: string | undefined;
  /** How long a run of spans must be quiet, once its root has ended, before it is sealed; the default where there is none. */
  readonly quiet_ms?: number | undefined;
  /** Whether plans are executed here, with calls from the service's own network; not, where nothing says so. */
  readonly executes_plans?: boolean | undefined;
}

const text = (name: string): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    return Option.getOrUndefined(yield* Config.option(Config.String(name)));
  }).pipe(Effect.orElseSucceed(() => undefined));

/** Reads the configuration; fails with every problem that it has. */
export const read = (
  flags: ServiceFlags = {},
): Effect.Effect<ServiceConfig, ConfigurationInvalid> =>
  Effect.gen(function* () {
    const problems: Array<readonly [setting: string, what: string]> = [];
    const asked_port = yield* text("RUNPROOF_API_PORT");
    const port = flags.port ?? (asked_port === undefined ? DEFAULT_PORT : Number(asked_port));
    if (!Number.isInteger(port) || port < 0 || port > 65_535 || asked_port?.trim() === "")
      problems.push(["RUNPROOF_API_PORT", "it must be an integer from 0 to 65535"]);
    const host = flags.host ?? (yield* text("RUNPROOF_API_HOST")) ?? DEFAULT_HOST;
    if (!/^[A-Za-z0-9.:_-]+$/u.test(host))
      problems.push(["RUNPROOF_API_HOST", "it must be an address or a host name"]);
    const holder_secret = yield* text("RUNPROOF_SERVICE_SECRET");
    if (holder_secret !== undefined && holder_secret.length < SECRET_CHARACTERS_MIN)
      problems.push([
        "RUNPROOF_SERVICE_SECRET",
        `it must have ${SECRET_CHARACTERS_MIN} characters or more`,
      ]);
    const asked_quiet = yield* text("RUNPROOF_OTLP_QUIET_MS");
    const quiet_ms = asked_quiet === undefined ? undefined : Number(asked_quiet);
    if (quiet_ms !== undefined && !(Number.isInteger(quiet_ms) && quiet_ms > 0))
      problems.push(["RUNPROOF_OTLP_QUIET_MS", "it must be a number of milliseconds"]);
    const asked_executes = (yield* text("RUNPROOF_API_EXECUTES_PLANS")) ?? "false";
    const executes_plans = asked_executes === "true";
    if (!executes_plans && asked_executes !== "false")
      problems.push(["RUNPROOF_API_EXECUTES_PLANS", "it must be true or false"]);
    const [first, ...others] = problems;
    if (first === undefined) return { port, host, holder_secret, quiet_ms, executes_plans };
    const [setting, what] = first;
    return yield* new ConfigurationInvalid({
      setting,
      what: [what, ...others.map(([other, fault]) => `${other}: ${fault}`)].join("; "),
      remedy: "Correct each setting that is named, or unset it to take its default.",
    });
  });

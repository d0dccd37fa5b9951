/** Flags and arguments that more than one command takes. */
import { Identifier } from "@runproof/schemas/Text";
import * as Argument from "effect/cli/Argument";
import * as Flag from "effect/cli/Flag";
import * as Config from "effect/Config";
import * as Option from "effect/Option";
import { userInfo } from "node:os";
import * as Time from "./Time.ts";

/** A flag that may be left out. */
export const optional = <A>(flag: Flag.Flag<A>): Flag.Flag<A | undefined> =>
  Flag.withDefault(flag, undefined);

/** The flags that take no value, by name; those of the command line itself to begin with. */
const toggles = new Set(["help", "version"]);

export const isToggle = (name: string): boolean => toggles.has(name);

/** A flag that takes no value: given or not. */
export const toggle = (name: string, description: string): Flag.Flag<boolean> => {
  toggles.add(name);
  return Flag.Boolean(name).pipe(
    Flag.withDescription(description),
    Flag.withDefault(false),
    Flag.withoutNegation,
  );
};

/** A flag that may be given more than once, or left out: its values in order. */
export const repeatable = <A>(flag: Flag.Flag<A>): Flag.Flag<ReadonlyArray<A>> =>
  flag.pipe(
    Flag.atLeast(0),
    // Without a default the help would call it required.
    Flag.withDefault<ReadonlyArray<A>>([]),
  );

/** Which database. Each flag wins over its environment variable. */
export const database = {
  databaseUrl: Flag.String("database-url").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("PostgreSQL server [DATABASE_URL; without one, an embedded database]"),
    optional,
  ),
  home: Flag.Directory("home").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription("Folder of the embedded database [RUNPROOF_HOME, else ./.runproof]"),
    optional,
  ),
};

/** The tenant: required, never guessed; the environment may name it. */
export const tenantId = Flag.String("tenant-id").pipe(
  Flag.withMetavar("T"),
  Flag.withDescription("Tenant that the run belongs to [RUNPROOF_TENANT_ID]"),
  Flag.withFallbackConfig(Config.String("RUNPROOF_TENANT_ID")),
  Flag.withSchema(Identifier),
);

/** A point in time. */
const timeFlag = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("TIME"),
    Flag.withDescription(`${description}: 1h, yesterday, a date, or RFC 3339`),
    Flag.filterMap(
      (text) => Option.fromNullishOr(Time.parse(text, Date.now())),
      (text) =>
        `90s, 15m, 1h, 2d, 1w (so long ago), now, today, yesterday, a date or an RFC 3339 time, not ${JSON.stringify(text)}`,
    ),
  );

/** A point in time as a flag that may be left out. */
export const time = (name: string, description: string) => optional(timeFlag(name, description));

/** From when on. */
export const since = (description: string) =>
  optional(timeFlag("since", description).pipe(Flag.withAlias("from")));

/** Verifier keys, of which one must have signed the checkpoint that a proof is made under. */
export const vkeys = repeatable(
  Flag.String("vkey").pipe(
    Flag.withMetavar("KEY"),
    Flag.withDescription(
      "The log's key, as you know it: use the newest stored checkpoint that it signed; repeatable [where the log's key is not here, the newest stored one, unverified]",
    ),
  ),
);

/** Who asks for what changes evidence or says something of it, for the ledger. */
export const actor = Flag.String("actor").pipe(
  Flag.withMetavar("NAME"),
  Flag.withDescription("Who asks for it, for the ledger [the system's user name]"),
  optional,
  Flag.map((name) => name ?? userInfo().username),
);

/** Why it is asked for. */
export const reason = Flag.String("reason").pipe(
  Flag.withMetavar("TEXT"),
  Flag.withDescription("Why, for the ledger"),
);

/** A number of whole days, such as `183d`. */
export const days = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("DAYS"),
    Flag.withDescription(description),
    Flag.filterMap(
      (text) => {
        const count = /^(?<count>[1-9]\d{0,4})d?$/u.exec(text)?.groups?.["count"];
        return count === undefined ? Option.none() : Option.some(Number(count));
      },
      (text) => `a number of days such as 183d, not ${JSON.stringify(text)}`,
    ),
  );

/** An id as a flag that may be left out. */
export const id = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(description),
    Flag.withSchema(Identifier),
    optional,
  );

/** Which runs a listing shows by their SDSR mark. */
export const marks = {
  synthetic: Flag.Literals("synthetic", ["only", "none"]).pipe(
    Flag.withDescription("Only synthetic runs, or none of them [both]"),
    optional,
  ),
  scenario: id("scenario", "S", "Only synthetic runs of this scenario"),
};

/** Marks what is recorded as synthetic, and says of which scenario. */
export const scenario = Flag.map(
  id("synthetic", "SCENARIO", "Mark as synthetic, of this scenario: no total counts it"),
  (synthetic_scenario_id) =>
    synthetic_scenario_id === undefined ? {} : { is_synthetic: true, synthetic_scenario_id },
);

/** A file to read, as an argument. It is not made absolute, as other paths are: `-` is the standard input. */
export const input = (name: string, description: string) =>
  Argument.String(name).pipe(
    Argument.withDescription(`${description}; - for the standard input`),
    Argument.filter(
      (path) => path !== "",
      () => "expected a file, or - for the standard input",
    ),
  );

/** The run that a command is about. */
export const runId = Argument.String("RUN_ID").pipe(
  Argument.withDescription("Run, as `traces list` shows it"),
  Argument.withSchema(Identifier),
);

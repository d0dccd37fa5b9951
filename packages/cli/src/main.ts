#!/usr/bin/env node
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

// Compiled code is kept between runs: it halves the time to start. It is kept in the user's own folder, not in the shared
// temporary one that Node would take: who can write there could change what a verifier does.
const { NODE_COMPILE_CACHE, XDG_CACHE_HOME = "" } = process.env;
if (NODE_COMPILE_CACHE === undefined) {
  enableCompileCache(join(XDG_CACHE_HOME || join(homedir(), ".cache"), "runproof"));
}
const { main } = await import("./Cli.ts");
main(process.argv.slice(2));

#!/usr/bin/env node
import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

// Before anything is loaded that an older one can't even parse.
const NODE_MIN = [22, 19] as const;
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
  process.stderr.write(
    `runproof needs Node ${NODE_MIN.join(".")} or newer, and this is ${process.versions.node}.\n  try: install a newer Node (https://nodejs.org) and run the same command again\n`,
  );
  process.exit(1);
}

// Compiled code is kept between runs: it halves the time to start. It is kept in the user's own folder, not in the shared
// temporary one that Node would take: who can write there could change what a verifier does.
const { NODE_COMPILE_CACHE, XDG_CACHE_HOME = "" } = process.env;
if (NODE_COMPILE_CACHE === undefined) {
  module.enableCompileCache(join(XDG_CACHE_HOME || join(homedir(), ".cache"), "runproof"));
}
const args = process.argv.slice(2);
if (args.length === 1 && ["--version", "-v"].includes(args[0] ?? "")) {
  // Asked by scripts, and answered without loading what commands need.
  const { version } = module.createRequire(import.meta.url)("../package.json") as {
    readonly version: string;
  };
  process.stdout.write(`runproof ${version}\n`);
} else {
  const { main } = await import("./Cli.ts");
  main(args);
}

/** How the user calls this program, for the commands that a hint names. */
import { basename, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** `runproof`, or `./bin/runproof` where it runs from a checkout. */
export const program = (): string => {
  if (basename(process.argv[1] ?? "") !== "main.ts") return "runproof";
  const script = fileURLToPath(new URL("../../../bin/runproof", import.meta.url));
  const nearby = relative(process.cwd(), script);
  return nearby.startsWith("..") ? script : `./${nearby}`;
};

/** A word of a command line, quoted where a shell would take it apart. */
export const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

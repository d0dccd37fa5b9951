/** The command line before it is parsed. */

/**
 * Ties each flag to its value, so that a value which begins with a dash (`--from -1h`, `--text -v`) is not taken for flags.
 * `isToggle` says which flags take none. What follows `--` stays as it is.
 */
export const tieValues = (
  args: ReadonlyArray<string>,
  isToggle: (name: string) => boolean,
): ReadonlyArray<string> => {
  const tied: Array<string> = [];
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at]!;
    if (word === "--") return [...tied, ...args.slice(at)];
    const next = args[at + 1] ?? "";
    const isFlag = /^--[^=]+$/u.test(word) && !isToggle(word.slice(2));
    if (isFlag && /^-[^-]/u.test(next)) {
      tied.push(`${word}=${next}`);
      at += 1;
    } else tied.push(word);
  }
  return tied;
};

/** Data made by others, which is read where it is: a check that needs it is skipped, visibly, where it is absent. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";

/** The folder: what `RUNPROOF_SHARED_DATA` names, or `shared/data` beside the checkout. */
const FOLDER =
  process.env["RUNPROOF_SHARED_DATA"] ??
  join(import.meta.dirname, "..", "..", "..", "..", "shared", "data");

const pathOf = (name: string): string => join(FOLDER, name);

export const readShared = (name: string): string => readFileSync(pathOf(name), "utf8");

/** The names of all files below a folder of the data, with the folder. */
export const listShared = (folder: string): ReadonlyArray<string> =>
  existsSync(pathOf(folder))
    ? readdirSync(pathOf(folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(FOLDER.length + 1))
        .toSorted()
    : [];

/** A group of tests that need some of the data. */
export const describeShared = (name: string, tests: () => void): void => {
  if (existsSync(pathOf(name))) describe(name, tests);
  else describe(name, () => it.skip(`needs ${name} of the shared data`, () => {}));
};

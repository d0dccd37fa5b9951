import { mkdirSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a folder with those above it that are missing; one that is there stays. Node's own recursive way never ends where the
 * system says that a new folder's parent is missing though it is there, as under `/proc`.
 */
export const makeFolder = (folder: string): void => {
  try {
    mkdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    const parent = dirname(folder);
    if (code !== "ENOENT" || parent === folder) throw error;
    makeFolder(parent);
    mkdirSync(folder);
  }
};

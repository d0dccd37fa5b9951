import { link, open, realpath, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** How a file is written. */
export interface WriteOptions {
  /** The file's permissions. */
  readonly mode: number;
  /** Whether a file that is there is replaced; else it is the system's error `EEXIST`. */
  readonly replaces: boolean;
}

/** Makes a folder's entries survive a crash of the machine. Windows can't open folders, and keeps their entries itself. */
export const syncFolder = async (folder: string): Promise<void> => {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/**
 * Writes a file whole or not at all, and on the disk when this returns: beside it first, then in its place. One writer
 * of a file at a time. Rejects with the system's error.
 */
export const writeDurably = async (
  named: string,
  content: string | Uint8Array,
  { mode, replaces }: WriteOptions,
): Promise<void> => {
  // A secret is often mounted as a symbolic link: what it leads to is replaced, and the link stays.
  const path = replaces ? await realpath(named).catch(() => named) : named;
  // Writers of one file hold a lock over it, so that one name will do: what a killed one left is not left for ever.
  const beside = `${path}.part`;
  try {
    // One that is left keeps its permissions when it is written again.
    await rm(beside, { force: true });
    const handle = await open(beside, "wx", mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await (replaces ? rename(beside, path) : link(beside, path));
  } finally {
    await rm(beside, { force: true });
  }
  await syncFolder(dirname(path));
};

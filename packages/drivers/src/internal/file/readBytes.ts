import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { FileFailed } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { codeOf, fileFailed } from "./FileError.ts";

/** Opens what is there to read; null where there is nothing. A pipe that nobody writes to is not waited for. */
export const openToRead = (path: string): Promise<FileHandle | null> =>
  // Windows has no such pipes among its files.
  open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  });

const readOpened = async (path: string): Promise<Buffer | null> => {
  const handle = await openToRead(path);
  if (handle === null) return null;
  try {
    const stat = await handle.stat();
    if (stat.isFile() || stat.isDirectory()) return await handle.readFile();
    throw new Error("is no file, but a pipe or a device");
  } finally {
    await handle.close();
  }
};

/** Reads a small file; null where there is none. */
export const readBytes = (path: string, remedy: string): Effect.Effect<Buffer | null, FileFailed> =>
  Effect.tryPromise({ try: () => readOpened(path), catch: fileFailed(path, remedy) });

/** Reads a small file's text; null where there is none. */
export const readText = (path: string, remedy: string): Effect.Effect<string | null, FileFailed> =>
  Effect.map(readBytes(path, remedy), (bytes) => bytes?.toString("utf8") ?? null);

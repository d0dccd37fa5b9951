import { readFile } from "node:fs/promises";
import type { FileFailed } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { codeOf, fileFailed } from "./FileError.ts";

/** Reads a small file; null where there is none. */
export const readBytes = (path: string, remedy: string): Effect.Effect<Buffer | null, FileFailed> =>
  Effect.tryPromise({
    try: () =>
      readFile(path).catch((error: unknown) => {
        if (codeOf(error) === "ENOENT") return null;
        throw error;
      }),
    catch: fileFailed(path, remedy),
  });

/** Reads a small file's text; null where there is none. */
export const readText = (path: string, remedy: string): Effect.Effect<string | null, FileFailed> =>
  Effect.map(readBytes(path, remedy), (bytes) => bytes?.toString("utf8") ?? null);

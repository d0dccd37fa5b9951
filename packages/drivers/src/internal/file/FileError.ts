import { FileFailed } from "@runproof/schemas/RunProofError";

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EEXIST: "is there already",
  EISDIR: "is a folder",
  ENOTDIR: "a part of the path is no folder",
  ENOSPC: "no space left on the device",
  EROFS: "the file system is read-only",
};

/** The system's code of an error, such as `ENOENT`. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;

/** What the system said of a file, as the error that callers get. */
export const fileFailed =
  (path: string, remedy: string) =>
  (error: unknown): FileFailed =>
    new FileFailed({
      path,
      what:
        reasons[codeOf(error) ?? ""] ?? (error instanceof Error ? error.message : String(error)),
      remedy,
    });

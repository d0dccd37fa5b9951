/** Bundles in files. */
import type { VerifyOptions } from "@runproof/proof/Verifier";
import { FileFailed } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as File from "./File.ts";
import { refusing } from "./Refused.ts";
import { load } from "./Runproof.ts";
import { printable } from "./Screen.ts";

/** What a bundle shows: a run, or one step of it. */
export interface Subject {
  readonly trace_id: string;
  readonly step_index?: number | undefined;
}

/** Whether a text is a bundle of this run or step, without trusting it; null where it is no bundle. */
const isOf = Effect.fnUntraced(function* (text: string, { trace_id, step_index }: Subject) {
  const { parseJson } = yield* load(() => import("@runproof/proof/JsonText"));
  try {
    const bundle = parseJson(text) as {
      readonly format?: unknown;
      readonly trace?: { readonly trace_id?: unknown };
      readonly step?: { readonly step_index?: unknown };
    } | null;
    if (bundle?.format !== "runproof/bundle@v1" && bundle?.format !== "runproof/step-bundle@v1")
      return null;
    return bundle.trace?.trace_id === trace_id && bundle.step?.step_index === step_index;
  } catch {
    return null;
  }
});

/** Refuses a path that holds anything but an older bundle of the same run or step: evidence is not written over. */
const requireFree = Effect.fnUntraced(function* (path: string, subject: Subject) {
  const bytes = yield* File.bytesOf(path);
  if (bytes === null || bytes === 0) return;
  const held = yield* isOf(yield* File.read(path), subject);
  if (held === true) return;
  return yield* new FileFailed({
    path: printable(path),
    what:
      held === null
        ? "holds something else than a bundle, and is not replaced"
        : "holds the bundle of another run or step, and is not replaced",
    remedy: "Name another file, or move this one away.",
  });
});

/** Writes the bundle that `make` gives in pieces, in place of nothing but an older one of the same run or step. */
export const write = <A extends Subject, E, R>(
  path: string,
  make: (write: (piece: string) => Effect.Effect<void, FileFailed>) => Effect.Effect<A, E, R>,
) => File.writePieces(path, (piece) => Effect.tap(make(piece), (made) => requireFree(path, made)));

/** Verifies a bundle's file: with no database, no network and no configuration. */
export const verifyFile = Effect.fnUntraced(function* (path: string, options: VerifyOptions = {}) {
  const { parseVerifierKey } = yield* load(() => import("@runproof/proof/NoteKey"));
  // Before the file, which is not to blame for a key.
  yield* refusing("--vkey", () => options.trusted_keys?.forEach(parseVerifierKey));
  const text = yield* File.read(path);
  const { verifyBundle } = yield* load(() => import("@runproof/proof/Verifier"));
  return yield* refusing(printable(path), () => verifyBundle(text, options));
});

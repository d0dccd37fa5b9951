/** Bundles in files. */
import type { VerifyOptions } from "@runproof/proof/Verifier";
import * as Effect from "effect/Effect";
import * as File from "./File.ts";
import { refusing } from "./Refused.ts";
import { load } from "./Runproof.ts";
import { printable } from "./Screen.ts";

/** Verifies a bundle's file: with no database, no network and no configuration. */
export const verifyFile = Effect.fnUntraced(function* (path: string, options: VerifyOptions = {}) {
  const { parseVerifierKey } = yield* load(() => import("@runproof/proof/NoteKey"));
  // Before the file, which is not to blame for a key.
  yield* refusing("--vkey", () => options.trusted_keys?.forEach(parseVerifierKey));
  const text = yield* File.read(path);
  const { verifyBundle } = yield* load(() => import("@runproof/proof/Verifier"));
  return yield* refusing(printable(path), () => verifyBundle(text, options));
});

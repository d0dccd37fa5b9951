/** JSON files, read without losing anything. */
import * as Effect from "effect/Effect";
import * as File from "./File.ts";
import { refusing } from "./Refused.ts";
import { load } from "./Runproof.ts";
import { printable } from "./Screen.ts";

/** Reads a JSON file. A duplicate key, or a number that a double can't hold, is refused and not rounded away. */
export const readFile = Effect.fnUntraced(function* (path: string) {
  const text = yield* File.read(path);
  const { parseJson } = yield* load(() => import("@runproof/proof/JsonText"));
  return yield* refusing(printable(path), () => parseJson(text));
});

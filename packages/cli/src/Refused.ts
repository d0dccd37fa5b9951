/** What the proof package refuses, as the typed error that it is here. */
import { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import { load } from "./Runproof.ts";

/** Calls a function of the proof package; what it refuses is `InvalidInput`, its place said within `where`. */
export const refusing = Effect.fnUntraced(function* <A>(where: string, call: () => A) {
  const { Refusal } = yield* load(() => import("@runproof/proof/Refusal"));
  return yield* Effect.suspend(() => {
    try {
      return Effect.succeed(call());
    } catch (error) {
      if (!(error instanceof Refusal)) return Effect.die(error);
      const { what, path, remedy } = error;
      return Effect.fail(new InvalidInput({ what, where: `${where} at ${path}`, remedy }));
    }
  });
});

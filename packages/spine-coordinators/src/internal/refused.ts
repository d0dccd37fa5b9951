import { Refusal } from "@runproof/proof/Refusal";
import { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";

/** A refusal of the proof package as the error that callers get; `root` stands for the `$` of its path. */
export const invalidInput = (refusal: Refusal, root = "$"): InvalidInput =>
  new InvalidInput({
    what: refusal.what,
    where: refusal.path.replace(/^\$/u, root),
    remedy: refusal.remedy,
  });

/** Runs what may be refused. Anything else that is thrown is a defect. */
export const refusable = <A>(make: () => A): Effect.Effect<A, Refusal> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(make());
    } catch (error) {
      if (error instanceof Refusal) return Effect.fail(error);
      throw error;
    }
  });

/** Whether an error is a refusal of the proof package. */
export const isRefusal = (error: unknown): error is Refusal => error instanceof Refusal;

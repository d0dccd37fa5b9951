/** Asks before what can't be undone. */
import { InvalidInput } from "@runproof/schemas/RunProofError";
import * as Prompt from "effect/cli/Prompt";
import * as Effect from "effect/Effect";
import * as Options from "./Options.ts";
import { Output } from "./Output.ts";

/** Does without asking: for scripts. */
export const yes = Options.toggle("yes", "Do it without asking, as a script must");

const unconfirmed = (remedy: string) =>
  new InvalidInput({ what: "this can't be undone, and was not confirmed", where: "--yes", remedy });

/** Asks on a terminal whether to go on; without one, `--yes` is needed. Fails where the answer is no. */
export const confirm = Effect.fnUntraced(function* (question: string, isAnswered: boolean) {
  if (isAnswered) return;
  const { stderr } = yield* Output;
  if (!stderr.live || !process.stdin.isTTY)
    return yield* unconfirmed("Add --yes once you have seen that it is what you want.");
  const answer = yield* Effect.mapError(Prompt.run(Prompt.Confirm({ message: question })), () =>
    unconfirmed("Answer yes, or add --yes."),
  );
  if (!answer) return yield* unconfirmed("Nothing was changed.");
});

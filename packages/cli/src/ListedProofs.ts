/** Whether listed runs are what was recorded: the verdict on each, beside the listing. */
import type { VerificationStatus } from "@runproof/schemas/RunProofResult";
import * as Effect from "effect/Effect";
import * as ExitCode from "./ExitCode.ts";
import * as Options from "./Options.ts";
import * as Progress from "./Progress.ts";
import { load } from "./Runproof.ts";
import { type Screen, tone } from "./Screen.ts";
import type * as Table from "./Table.ts";
import * as Verdict from "./Verdict.ts";

/** The verdicts by run; null where none were asked for. */
export type ListedProofs = ReadonlyMap<string, VerificationStatus> | null;

/** Flags of a listing that can prove what it lists. */
export const flags = {
  prove: Options.toggle("prove", "Prove each run that is listed, and say so beside it"),
  vkeys: Options.vkeys,
};

/** Proves every run once, where that is asked for. */
export const proveListed = Effect.fnUntraced(function* (input: {
  readonly prove: boolean;
  readonly vkeys: ReadonlyArray<string>;
  readonly tenant_id: string;
  readonly run_ids: ReadonlyArray<string>;
}) {
  if (!input.prove) return null;
  const { trusting } = yield* load(() => import("@runproof/spine-coordinators/ledger/TrustedKeys"));
  const { RunProofCoordinator } = yield* load(
    () => import("@runproof/spine-coordinators/proof/RunProofCoordinator"),
  );
  const { judge } = yield* RunProofCoordinator;
  const run_ids = [...new Set(input.run_ids)];
  return yield* Progress.during("verifying", run_ids.length, (report) =>
    Effect.gen(function* () {
      const proofs = new Map<string, VerificationStatus>();
      for (const run_id of run_ids) {
        yield* report({ done: proofs.size, detail: run_id });
        const run = { tenant_id: input.tenant_id, run_id, model: "HASH_CHAIN" as const };
        const verdict = yield* trusting(input.vkeys, "--vkey", judge(run));
        proofs.set(run_id, verdict.integrity.verification_status);
      }
      return proofs;
    }),
  );
});

/** The column of verdicts, where there are some. */
export const columns = (proofs: ListedProofs): ReadonlyArray<Table.Column> =>
  proofs === null ? [] : [{ heading: "proof" }];

/** A run's cell in that column. */
export const cells = (
  screen: Screen,
  proofs: ListedProofs,
  run_id: string,
): ReadonlyArray<Table.Cell> => {
  if (proofs === null) return [];
  const status = proofs.get(run_id) ?? "UNSUPPORTED";
  return [{ text: status, paint: (text) => tone(screen, Verdict.tones[status], text) }];
};

/** Ends the command with the worst verdict's exit code: what was changed outweighs what can't be verified. */
export const conclude = (proofs: ListedProofs): Effect.Effect<void, ExitCode.Concluded> => {
  const all = [...(proofs?.values() ?? [])];
  const worst = (["FAILED", "UNSUPPORTED"] as const).find((status) => all.includes(status));
  return worst === undefined
    ? Effect.void
    : Effect.fail(new ExitCode.Concluded({ code: Verdict.exitCode(worst) }));
};

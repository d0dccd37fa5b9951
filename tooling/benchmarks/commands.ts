/** How long short commands take, beside a Node that does nothing. */
import * as Effect from "effect/Effect";
import { RunProofCoordinator } from "@runproof/spine-coordinators/proof/RunProofCoordinator";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { openTrace, sealTrace } from "./RecordedTrace.ts";
import { openProduct, TENANT_ID } from "./Product.ts";
import type { Bench } from "./Suite.ts";

const ROUNDS = 11;
const BUNDLE_STEPS = 100;

/** The command as it is packed, which `turbo run build` makes. */
export const main = fileURLToPath(new URL("../../packages/cli/bundle/main.js", import.meta.url));

/** Printed by the command's own process as it ends. The kernel's figure for a process counts what its parent had, this one not. */
const SAY_PEAK = `data:text/javascript,${encodeURIComponent(`
import { readFileSync } from "node:fs";
process.on("exit", () => {
  const peak = /VmHWM:\\s+(\\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  process.stderr.write("peak " + (peak?.[1] ?? "0") + "\\n");
});
`)}`;

/** Runs Node with these arguments to its end, which must be 0. */
export const commandOf = (
  args: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly peak_mb: number }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", SAY_PEAK, ...args], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("close", (code) => {
      const peak = /^peak (\d+)$/mu.exec(stderr)?.[1];
      if (code === 0 && peak !== undefined) resolve({ peak_mb: Number(peak) / 1024 });
      else reject(new Error(`${args.join(" ")} ended with ${code}: ${stderr}`));
    });
  });

const starting = (name: string, args: ReadonlyArray<string>) => ({
  name,
  round: async () => {
    await commandOf(args);
    return 1;
  },
});

export const commands = async ({ server, compare }: Bench): Promise<void> => {
  const product = await openProduct(server.url);
  const run_id = await product.run(Effect.tap(openTrace(BUNDLE_STEPS), sealTrace));
  const { text } = await product.run(
    RunProofCoordinator.use((proofs) => proofs.getBundle({ tenant_id: TENANT_ID, run_id })),
  );
  await product.end();
  const folder = await mkdtemp(join(tmpdir(), "runproof-benchmark-"));
  const bundle = join(folder, "run.runproof.json");
  await writeFile(bundle, text);
  const figure = { unit: "start", rounds: ROUNDS, as: "cost" } as const;
  const nothing = starting("node -e 0", ["-e", "0"]);
  for (const [name, args, target] of [
    ["--version", [main, "--version"], 4],
    ["--help", [main, "--help"], 4],
    ["verify of a 100-step bundle", [main, "verify", bundle], 6],
  ] as const) {
    await compare({
      ...figure,
      name,
      ours: starting(`runproof ${name}`, args),
      peer: nothing,
      target,
    });
  }
  await rm(folder, { recursive: true });
};

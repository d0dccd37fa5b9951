/**
 * All that must hold beside the tests, each check with a name, run one after the other whatever fails.
 *
 *   node tooling/bootstrap.mjs check            all of them
 *   node tooling/bootstrap.mjs check types lint those whose names begin so
 *
 * Ends with 1 if any failed; adds `passed failed skipped` to the file that `RUNPROOF_COUNTS_FILE` names.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { failureOf, runCommand } from "./Command.ts";
import { layerViolations } from "./LayerRules.ts";
import { PackedPackages } from "./PackedPackages.ts";
import { failingExamples, readmeViolations } from "./ReadmeExamples.ts";
import { publishedPackages, releaseNoteViolations } from "./ReleaseNotes.ts";
import { trackedTextViolations } from "./TrackedText.ts";

/** Ends with what is wrong, or with nothing where all is well. */
type Run = () => string | undefined | Promise<string | undefined>;

interface Check {
  readonly name: string;
  readonly run: Run;
}

const root = path.resolve(import.meta.dirname, "..");

/** A command of PATH, run in the workspace's folder, that must end with 0. */
function command(line: string): Run {
  const [program = "", ...args] = line.split(" ");
  return () => failureOf(program, args, root);
}

/** Fails with the sentences found, if any. */
function none(find: () => ReadonlyArray<string> | Promise<ReadonlyArray<string>>): Run {
  return async () => (await find()).join("\n") || undefined;
}

/** The program prints how many files it looked at: without the plugin in tsconfig.json that is none, and it ends with 0. */
async function effectDiagnostics(): Promise<string | undefined> {
  const project = path.join(root, "tsconfig.json");
  const args = ["diagnostics", "--project", project, "--format", "text", "--strict"];
  const { code, output } = await runCommand(
    "effect-tsgo",
    [...args, "--severity", "error,warning"],
    root,
  );
  const [, checked, all] = /Checked (\d+) files out of (\d+) files/u.exec(output) ?? [];
  const sawAll = checked !== undefined && checked !== "0" && checked === all;
  return code === 0 && sawAll ? undefined : output;
}

function allChecks(packed: PackedPackages): ReadonlyArray<Check> {
  const packages = [...publishedPackages(root).keys()];
  return [
    { name: "format", run: command("oxfmt --check") },
    { name: "lint", run: command("oxlint") },
    { name: "types", run: command("tsc -p tsconfig.json") },
    { name: "effects", run: effectDiagnostics },
    { name: "layers", run: none(() => layerViolations(root)) },
    { name: "layers: turbo boundaries", run: command("turbo boundaries") },
    {
      name: "text: no secret, machine path or registry",
      run: none(() => trackedTextViolations(root)),
    },
    { name: "readme: blocks are examples", run: none(() => readmeViolations(root)) },
    { name: "readme: examples run", run: none(() => failingExamples(root)) },
    { name: "release notes", run: none(() => releaseNoteViolations(root)) },
    { name: "demo", run: command("npm run demo") },
    { name: "packages: build", run: command("turbo build --output-logs=errors-only") },
    ...packages.flatMap((folder) => {
      const name = path.basename(folder);
      return [
        { name: `packages: pack ${name}`, run: () => packed.pack(folder) },
        { name: `packages: publint ${name}`, run: () => packed.publint(folder) },
        { name: `packages: types of ${name}`, run: () => packed.attw(folder) },
      ];
    }),
    { name: "packages: install", run: () => packed.install(packages) },
    { name: "packages: import each", run: () => packed.importEach() },
    { name: "packages: compile against each", run: () => packed.compileAgainstEach() },
    { name: "packages: runproof runs", run: () => packed.runCli() },
  ];
}

async function perform(check: Check): Promise<boolean> {
  const start_ms = performance.now();
  const problem = await Promise.resolve()
    .then(check.run)
    .catch((error: unknown) =>
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    );
  const seconds = ((performance.now() - start_ms) / 1000).toFixed(1);
  const mark = problem === undefined ? "passed" : "FAILED";
  process.stdout.write(`${mark}  ${check.name} (${seconds} s)\n`);
  if (problem !== undefined)
    process.stdout.write(`${problem.trimEnd().replaceAll(/^/gmu, "    ")}\n`);
  return problem === undefined;
}

async function main(prefixes: ReadonlyArray<string>): Promise<number> {
  const packed = new PackedPackages(root);
  try {
    const all = allChecks(packed);
    const wanted = all.filter(
      ({ name }) => prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix)),
    );
    if (wanted.length > 0) return await performAll(wanted);
    process.stderr.write(`no check's name begins with ${prefixes.join(" or ")}; there are:\n`);
    for (const { name } of all) process.stderr.write(`  ${name}\n`);
    return 2;
  } finally {
    packed.remove();
  }
}

async function performAll(wanted: ReadonlyArray<Check>): Promise<number> {
  let passed = 0;
  for (const check of wanted) if (await perform(check)) passed += 1;
  const failed = wanted.length - passed;
  process.stdout.write(`${passed} checks passed, ${failed} failed\n`);
  const file = process.env["RUNPROOF_COUNTS_FILE"];
  if (file) fs.appendFileSync(file, `${passed} ${failed} 0\n`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));

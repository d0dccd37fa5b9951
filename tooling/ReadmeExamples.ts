/**
 * Keeps the TypeScript in the READMEs true: each block is a file of the `examples` folder beside it, byte for byte, and those
 * files are type-checked with the rest and run.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { createDatabase, startPostgresServer } from "./PostgresServer.ts";

/** An example still running after this long hangs. */
const exampleLimit_ms = 120_000;

/** All README blocks that are no example, and all packages whose README shows none, as sentences. */
export function readmeViolations(root: string): ReadonlyArray<string> {
  const packages = subfolders(path.join(root, "packages"));
  const others = [root, ...subfolders(path.join(root, "apps"))];
  return [
    ...packages.flatMap((folder) => folderViolations(root, folder, true)),
    ...others.flatMap((folder) => folderViolations(root, folder, false)),
  ];
}

function folderViolations(root: string, folder: string, needsOne: boolean): ReadonlyArray<string> {
  const readme = path.join(folder, "README.md");
  const name = path.relative(root, readme).replaceAll(path.sep, "/");
  if (!fs.existsSync(readme)) return needsOne ? [`${name}: missing`] : [];
  const blocks = typescriptBlocks(fs.readFileSync(readme, "utf8"));
  if (blocks.length === 0 && needsOne) return [`${name}: shows no example in a ts block`];
  const examples = examplesIn(folder).map((file) => fs.readFileSync(file, "utf8"));
  return blocks
    .filter(({ text }) => !examples.includes(text))
    .map(({ line }) => `${name}:${line}: the ts block equals no file of the examples folder`);
}

interface Block {
  /** The line of the opening fence, from 1. */
  readonly line: number;
  readonly text: string;
}

/** A block runs from a fence of at least three backticks or tildes to the next fence that is as long and of the same kind. */
function typescriptBlocks(markdown: string): ReadonlyArray<Block> {
  const blocks: Array<Block> = [];
  let open:
    | { readonly fence: string; readonly line: number; readonly text: Array<string> }
    | undefined;
  let wanted = false;
  for (const [index, line] of markdown.split("\n").entries()) {
    const [, fence, info] = /^\s*(`{3,}|~{3,})\s*(\S*)/u.exec(line) ?? [];
    if (open === undefined) {
      if (fence === undefined) continue;
      open = { fence, line: index + 1, text: [] };
      wanted = /^(?:ts|tsx|mts|typescript)$/iu.test(info ?? "");
    } else if (fence?.startsWith(open.fence) === true && info === "") {
      if (wanted)
        blocks.push({ line: open.line, text: open.text.map((each) => `${each}\n`).join("") });
      open = undefined;
    } else open.text.push(line);
  }
  if (open !== undefined && wanted) blocks.push({ line: open.line, text: open.text.join("\n") });
  return blocks;
}

function subfolders(folder: string): ReadonlyArray<string> {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .filter(
      (entry) =>
        entry.isDirectory() && fs.existsSync(path.join(folder, entry.name, "package.json")),
    )
    .map((entry) => path.join(folder, entry.name))
    .toSorted();
}

function examplesIn(folder: string): ReadonlyArray<string> {
  const examples = path.join(folder, "examples");
  if (!fs.existsSync(examples)) return [];
  return fs
    .readdirSync(examples)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => path.join(examples, name))
    .toSorted();
}

/**
 * Runs every example as a reader would, `node examples/name.ts` in its package; returns those that fail, with what they
 * printed. One that names `DATABASE_URL` gets an empty database on a real server, any other none.
 */
export async function failingExamples(root: string): Promise<ReadonlyArray<string>> {
  const packages = ["packages", "apps"].flatMap((parent) => subfolders(path.join(root, parent)));
  const examples = [root, ...packages].flatMap(examplesIn);
  const needServer = examples.filter((file) =>
    fs.readFileSync(file, "utf8").includes("DATABASE_URL"),
  );
  const server = needServer.length > 0 ? await startPostgresServer() : undefined;
  try {
    const failures: Array<string> = [];
    for (const file of examples) {
      const database =
        server !== undefined && needServer.includes(file)
          ? await createDatabase(server.url)
          : undefined;
      const failure = runExample(file, database?.url);
      if (failure !== undefined) failures.push(`${path.relative(root, file)}: ${failure}`);
      await database?.drop();
    }
    return failures;
  } finally {
    await server?.stop();
  }
}

function runExample(file: string, databaseUrl: string | undefined): string | undefined {
  const home = fs.mkdtempSync(path.join(tmpdir(), "runproof-example-"));
  const { DATABASE_URL: _, USE_POSTGRES_TRACES: __, ...environment } = process.env;
  try {
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [file], {
      cwd: path.resolve(path.dirname(file), ".."),
      encoding: "utf8",
      env: {
        ...environment,
        RUNPROOF_HOME: home,
        ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
      },
      timeout: exampleLimit_ms,
    });
    return status === 0 ? undefined : `ended with ${signal ?? status}\n${stdout}${stderr}`;
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
}

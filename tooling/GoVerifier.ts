/** Go's own implementation of the log's formats, `golang.org/x/mod/sumdb`, as a second opinion on ours. */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";

const program = path.join(import.meta.dirname, "go", "verify", "main.go");

/** Where Debian's golang-golang-x-mod-dev puts its sources. */
const goPath = process.env["GOPATH"] ?? "/usr/share/gocode";

/** Whether the program can be built here: Debian's golang-go and golang-golang-x-mod-dev are all it needs. */
export const isGoHere: boolean =
  spawnSync("go", ["version"]).status === 0 &&
  existsSync(path.join(goPath, "src", "golang.org", "x", "mod", "sumdb", "tlog"));

/** What the program said of an input. */
export interface GoVerdict {
  /** 0 where all of it holds. */
  readonly status: number | null;
  readonly output: string;
}

/** Builds the program in a folder; answers a function that runs it on an input, whose form its source describes. */
export function buildGoVerifier(folder: string): (input: object) => GoVerdict {
  const binary = path.join(folder, "verify");
  const built = spawnSync("go", ["build", "-o", binary, program], {
    env: {
      ...process.env,
      GOPATH: goPath,
      GO111MODULE: "off",
      GOFLAGS: "",
      GOCACHE: path.join(folder, "cache"),
    },
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Error(`go build ended with ${built.status}: ${built.stderr}`);
  return (input) => {
    const file = path.join(folder, "input.json");
    writeFileSync(file, JSON.stringify(input));
    const { status, stdout, stderr } = spawnSync(binary, [file], { encoding: "utf8" });
    return { status, output: stdout + stderr };
  };
}

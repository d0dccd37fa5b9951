/** The published packages as their users get them: packed, looked at, installed into an empty folder, used there. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { failureOf } from "./Command.ts";

/** Compiler settings of a user who checks everything, declarations of the packages included. */
const consumerSettings = {
  target: "ES2024",
  module: "NodeNext",
  strict: true,
  noEmit: true,
  types: ["node"],
};

export class PackedPackages {
  readonly #root: string;
  readonly #folder = fs.mkdtempSync(path.join(tmpdir(), "runproof-packed-"));
  readonly #tarballs = new Map<string, string>();

  constructor(root: string) {
    this.#root = root;
    fs.mkdirSync(this.#consumer);
    fs.writeFileSync(
      path.join(this.#consumer, "package.json"),
      JSON.stringify({ private: true, type: "module" }),
    );
  }

  /** Packs the built package of a folder. */
  async pack(folder: string): Promise<string | undefined> {
    const place = path.join(this.#folder, path.basename(folder));
    fs.mkdirSync(place);
    const problem = await failureOf("pnpm", ["pack", "--pack-destination", place], folder);
    const [tarball, ...others] = fs.readdirSync(place);
    if (problem !== undefined) return problem;
    if (tarball === undefined || others.length > 0) return `packed ${1 + others.length} files`;
    this.#tarballs.set(folder, path.join(place, tarball));
    return await this.#missing(folder, [
      "LICENSE",
      "README.md",
      "dist/index.js",
      "dist/index.d.ts",
    ]);
  }

  publint(folder: string): Promise<string | undefined> {
    return this.#onTarball(folder, (tarball) =>
      failureOf("publint", ["--strict", tarball], this.#folder),
    );
  }

  /** Only imports are looked at: the packages have no CommonJS form. */
  attw(folder: string): Promise<string | undefined> {
    const options = ["--profile", "esm-only", "--no-emoji", "--no-color"];
    return this.#onTarball(folder, (tarball) =>
      failureOf("attw", [tarball, ...options], this.#folder),
    );
  }

  /** Installs the tarballs of all the folders together, so that each finds the others in the version packed now. */
  async install(folders: ReadonlyArray<string>): Promise<string | undefined> {
    const missing = folders.filter((folder) => !this.#tarballs.has(folder));
    if (folders.length === 0 || missing.length > 0) return `not packed: ${missing.join(", ")}`;
    const options = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    return failureOf("npm", [...options, ...this.#tarballs.values()], this.#consumer);
  }

  /** Imports every entry, those of one package in one Node. */
  async importEach(): Promise<string | undefined> {
    const packages = Map.groupBy(this.#entries(), (entry) => entry.split("/", 2).join("/"));
    if (packages.size === 0) return "nothing was installed";
    for (const entries of packages.values()) {
      const script = entries.map((entry) => `await import(${JSON.stringify(entry)});`).join("\n");
      const args = ["--input-type=module", "-e", script];
      const problem = await failureOf("node", args, this.#consumer);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  async compileAgainstEach(): Promise<string | undefined> {
    const entries = this.#entries();
    if (entries.length === 0) return "nothing was installed";
    const lines = entries.map(
      (entry, index) => `export * as m${index} from ${JSON.stringify(entry)};`,
    );
    fs.writeFileSync(path.join(this.#consumer, "uses.ts"), `${lines.join("\n")}\n`);
    const settings = {
      ...consumerSettings,
      typeRoots: [path.join(this.#root, "node_modules/@types")],
    };
    fs.writeFileSync(
      path.join(this.#consumer, "tsconfig.json"),
      JSON.stringify({ compilerOptions: settings, files: ["uses.ts"] }),
    );
    return failureOf("tsc", ["-p", "tsconfig.json"], this.#consumer);
  }

  async runCli(): Promise<string | undefined> {
    const command = path.join(this.#consumer, "node_modules", ".bin", "runproof");
    const version = await failureOf(command, ["--version"], this.#consumer);
    // Loads nearly all of it, with the embedded database that is no part of its bundle.
    return version ?? (await failureOf(command, ["demo"], this.#consumer));
  }

  remove(): void {
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  get #consumer(): string {
    return path.join(this.#folder, "consumer");
  }

  #onTarball(
    folder: string,
    look: (tarball: string) => Promise<string | undefined>,
  ): Promise<string | undefined> {
    const tarball = this.#tarballs.get(folder);
    return tarball === undefined ? Promise.resolve("it was not packed") : look(tarball);
  }

  async #missing(folder: string, names: ReadonlyArray<string>): Promise<string | undefined> {
    return this.#onTarball(folder, (tarball) =>
      failureOf("tar", ["-tzf", tarball, ...names.map((name) => `package/${name}`)], this.#folder),
    );
  }

  /** Each package, and each module of it that its `exports` let a user import. Those of a program run it: left out. */
  #entries(): ReadonlyArray<string> {
    const scope = path.join(this.#consumer, "node_modules", "@runproof");
    const names = fs.existsSync(scope) ? fs.readdirSync(scope) : [];
    return names.flatMap((name) => {
      const manifest = JSON.parse(
        fs.readFileSync(path.join(scope, name, "package.json"), "utf8"),
      ) as { readonly bin?: Readonly<Record<string, string>> };
      const programs = Object.values(manifest.bin ?? {}).map((file) => path.basename(file));
      const modules = fs
        .readdirSync(path.join(scope, name, "dist"))
        .filter((file) => file.endsWith(".js") && file !== "index.js" && !programs.includes(file))
        .map((file) => `@runproof/${name}/${path.basename(file, ".js")}`);
      return [`@runproof/${name}`, ...modules];
    });
  }
}

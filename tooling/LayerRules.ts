/** The layer order of `docs/design.md`, checked over what the packages declare and what their sources import. */
import { parseSync, Visitor } from "oxc-parser";
import type { Program } from "oxc-parser";
import * as fs from "node:fs";
import * as path from "node:path";

/** What one layer may use beside packages that are not of the workspace and not named in `reserved`. */
interface Layer {
  readonly folder: string;
  readonly uses: ReadonlyArray<string>;
  /** Where given, nothing else from outside the workspace may be imported: the layer does no I/O and starts no runtime. */
  readonly onlyModules?: ReadonlyArray<string>;
  /** Where given, only the files it matches may import values of `@runproof/drivers`; types may be named anywhere. */
  readonly driversThrough?: RegExp;
}

/** Modules of `effect` that are values and functions only. */
const pureEffect = [
  "effect/Schema",
  "effect/SchemaIssue",
  "effect/SchemaGetter",
  "effect/SchemaTransformation",
  "effect/Result",
  "effect/Option",
  "effect/Brand",
];

const layers: ReadonlyArray<Layer> = [
  { folder: "packages/schemas", uses: [], onlyModules: pureEffect },
  {
    folder: "packages/proof",
    uses: ["schemas"],
    onlyModules: [...pureEffect, "node:crypto", "node:buffer", "node:util"],
  },
  { folder: "packages/drivers", uses: ["schemas", "proof"] },
  {
    folder: "packages/spine-coordinators",
    uses: ["schemas", "proof", "drivers"],
    driversThrough: /(?:Bridge|Layer)\.ts$/u,
  },
  {
    folder: "packages/attack-test",
    uses: ["schemas", "proof", "drivers", "spine-coordinators"],
  },
  { folder: "apps/api", uses: ["schemas", "proof", "spine-coordinators"] },
  {
    folder: "packages/cli",
    uses: ["schemas", "proof", "spine-coordinators", "attack-test", "api"],
  },
];

/** Modules that few layers may use: the database is the drivers', and what attacks it goes past them. */
const reserved: ReadonlyArray<{
  readonly module: RegExp;
  readonly folders: ReadonlyArray<string>;
}> = [
  {
    module: /^(?:effect\/sql|@effect\/sql-pg|@electric-sql\/pglite)(?:\/|$)/u,
    folders: ["packages/drivers", "packages/attack-test"],
  },
];

const scope = "@runproof/";

/** One use of another module in a source file. */
interface Use {
  readonly file: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** All breaches of the rules in the workspace at `root`, as sentences; none means that all hold. */
export function layerViolations(root: string): ReadonlyArray<string> {
  return layers.flatMap((layer) => {
    const manifest = readManifest(path.join(root, layer.folder));
    if (manifest === undefined) return [`${layer.folder}: no package.json`];
    const files = sourceFiles(path.join(root, layer.folder, "src"));
    if (files.length === 0) return [`${layer.folder}: no sources in src`];
    return [
      ...declarationViolations(layer, manifest),
      ...files.flatMap((file) => fileViolations(root, layer, manifest, file)),
    ];
  });
}

interface Manifest {
  readonly name: string;
  readonly dependencies: ReadonlyArray<string>;
}

function readManifest(folder: string): Manifest | undefined {
  const file = path.join(folder, "package.json");
  if (!fs.existsSync(file)) return undefined;
  const parsed = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, unknown>;
  const fields = ["dependencies", "peerDependencies", "optionalDependencies"];
  const dependencies = fields.flatMap((field) => Object.keys(parsed[field] ?? {}));
  return { name: String(parsed["name"]), dependencies };
}

/** Development dependencies may point anywhere: tests use what they test against. */
function declarationViolations(layer: Layer, manifest: Manifest): ReadonlyArray<string> {
  const expected = scope + path.basename(layer.folder);
  const misnamed =
    manifest.name === expected ? [] : [`${layer.folder}: its name is not ${expected}`];
  const forbidden = manifest.dependencies
    .filter((name) => name.startsWith(scope) && !layer.uses.includes(name.slice(scope.length)))
    .map((name) => `${layer.folder}/package.json: may not depend on ${name}`);
  return [...misnamed, ...forbidden];
}

function sourceFiles(folder: string): ReadonlyArray<string> {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.[cm]?[jt]sx?$/u.test(name))
    .map((name) => path.join(folder, name))
    .toSorted();
}

function fileViolations(
  root: string,
  layer: Layer,
  manifest: Manifest,
  file: string,
): ReadonlyArray<string> {
  const name = path.relative(root, file).replaceAll(path.sep, "/");
  const { program, errors } = parseSync(file, fs.readFileSync(file, "utf8"));
  const [error] = errors;
  if (error !== undefined) return [`${name}: can't be parsed: ${error.message}`];
  const { uses, problems } = usesOf(program, file);
  return [...problems, ...uses.flatMap((use) => useViolations(root, layer, manifest, use))].map(
    (problem) => `${name}: ${problem}`,
  );
}

/** Every module that a file names, whether it imports values or types, at its top or when it runs. */
function usesOf(
  program: Program,
  file: string,
): { readonly uses: ReadonlyArray<Use>; readonly problems: ReadonlyArray<string> } {
  const uses: Array<Use> = [];
  const problems: Array<string> = [];
  const add = (specifier: string, typeOnly: boolean) => uses.push({ file, specifier, typeOnly });
  new Visitor({
    ImportDeclaration: (node) => {
      const named = node.specifiers.map(
        (specifier) => specifier.type === "ImportSpecifier" && specifier.importKind === "type",
      );
      const onlyTypes = named.length > 0 && named.every(Boolean);
      add(node.source.value, node.importKind === "type" || onlyTypes);
    },
    ExportAllDeclaration: (node) => void add(node.source.value, node.exportKind === "type"),
    ExportNamedDeclaration: (node) => {
      if (node.source !== null) add(node.source.value, node.exportKind === "type");
    },
    TSImportType: (node) => void add(node.source.value, true),
    TSExternalModuleReference: (node) => void add(node.expression.value, false),
    ImportExpression: (node) => {
      if (node.source.type === "Literal" && typeof node.source.value === "string")
        add(node.source.value, false);
      else problems.push("imports a computed module, which no rule can check");
    },
  }).visit(program);
  return { uses, problems };
}

function useViolations(
  root: string,
  layer: Layer,
  manifest: Manifest,
  { file, specifier, typeOnly }: Use,
): ReadonlyArray<string> {
  if (specifier.startsWith(".") || specifier.startsWith("/")) {
    const target = path.relative(
      path.join(root, layer.folder),
      path.resolve(path.dirname(file), specifier),
    );
    return target.startsWith("..") || path.isAbsolute(specifier)
      ? [`imports ${specifier}, which leaves its package`]
      : [];
  }
  if (specifier.startsWith(scope))
    return workspaceViolations(layer, manifest, file, specifier, typeOnly);
  return [
    ...(layer.onlyModules?.includes(specifier) === false
      ? [`may not import ${specifier}: its layer is pure`]
      : []),
    ...reserved
      .filter(({ module, folders }) => module.test(specifier) && !folders.includes(layer.folder))
      .map(({ folders }) => `may not import ${specifier}: only ${folders.join(" and ")} does`),
    ...(specifier.startsWith("node:") || manifest.dependencies.includes(packageName(specifier))
      ? []
      : [`imports ${specifier}, which its package.json does not declare`]),
  ];
}

function workspaceViolations(
  layer: Layer,
  manifest: Manifest,
  file: string,
  specifier: string,
  typeOnly: boolean,
): ReadonlyArray<string> {
  const name = packageName(specifier);
  if (name === manifest.name) return [`imports its own package ${specifier}: use a relative path`];
  if (!layer.uses.includes(name.slice(scope.length)))
    return [`may not import ${specifier}: ${name} does not stand above its layer`];
  const through = name === `${scope}drivers` && !typeOnly ? layer.driversThrough : undefined;
  return through === undefined || through.test(file)
    ? []
    : [`may not import values of ${specifier}: only bridges and layers do`];
}

function packageName(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

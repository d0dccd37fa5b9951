import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { layerViolations } from "../LayerRules.ts";
import { FixtureTree } from "./FixtureTree.ts";

/** A workspace of one file a layer that keeps every rule. */
const dependencies: Readonly<Record<string, ReadonlyArray<string>>> = {
  "packages/schemas": ["effect"],
  "packages/proof": ["effect", "@runproof/schemas"],
  "packages/drivers": ["effect", "@effect/sql-pg", "@runproof/schemas", "@runproof/proof"],
  "packages/spine-coordinators": [
    "effect",
    "@runproof/schemas",
    "@runproof/proof",
    "@runproof/drivers",
  ],
  "packages/attack-test": [
    "effect",
    "@effect/sql-pg",
    "@runproof/drivers",
    "@runproof/spine-coordinators",
  ],
  "packages/cli": [
    "effect",
    "@runproof/schemas",
    "@runproof/proof",
    "@runproof/spine-coordinators",
  ],
  "apps/api": ["effect", "@runproof/schemas", "@runproof/proof", "@runproof/spine-coordinators"],
};

function manifest(folder: string, names: ReadonlyArray<string>): string {
  return JSON.stringify({
    name: `@runproof/${path.basename(folder)}`,
    dependencies: Object.fromEntries(names.map((name) => [name, "*"])),
  });
}

const sources: Readonly<Record<string, string>> = {
  "packages/schemas/src/Step.ts":
    'import * as Schema from "effect/Schema"; export const Step = Schema.String;',
  "packages/proof/src/Chain.ts":
    'import type { Step } from "@runproof/schemas/Step"; import { hash } from "node:crypto"; export const link = (step: Step) => hash("sha256", step);',
  "packages/drivers/src/Store.ts":
    'import * as PgClient from "@effect/sql-pg/PgClient"; import "@runproof/proof/Chain"; export const store = PgClient;',
  "packages/spine-coordinators/src/logs/LogsBridge.ts": `
    import { store } from "@runproof/drivers/Store";
    export { store };`,
  "packages/spine-coordinators/src/Run.ts":
    'import type { Store } from "@runproof/drivers/Store"; export type Run = Store;',
  "packages/attack-test/src/Lab.ts":
    'import * as PgClient from "@effect/sql-pg/PgClient"; import { store } from "@runproof/drivers/Store"; export { PgClient, store };',
  "packages/cli/src/main.ts":
    'const { run } = await import("@runproof/spine-coordinators/Run"); run();',
  "apps/api/src/main.ts": 'export * from "@runproof/spine-coordinators/Run";',
};

function workspace(): FixtureTree {
  const manifests = Object.entries(dependencies).map(([folder, names]) => [
    `${folder}/package.json`,
    manifest(folder, names),
  ]);
  return new FixtureTree({ ...Object.fromEntries(manifests), ...sources });
}

/** A service class of that name whose second type argument is the shape. */
const spine = "packages/spine-coordinators/src";

describe("the layer rules", () => {
  it("hold in this workspace", () => {
    expect(layerViolations(path.resolve(import.meta.dirname, "../.."))).toEqual([]);
  });

  it("hold in a workspace that keeps them", () => {
    using tree = workspace();
    expect(layerViolations(tree.root)).toEqual([]);
  });

  const breaches: ReadonlyArray<readonly [why: string, file: string, text: string, says: RegExp]> =
    [
      [
        "schemas use no layer",
        "packages/schemas/src/a.ts",
        'import "@runproof/proof/Chain";',
        /may not import @runproof\/proof/u,
      ],
      [
        "schemas do no I/O",
        "packages/schemas/src/a.ts",
        'import "node:fs";',
        /may not import node:fs/u,
      ],
      [
        "schemas run no effects",
        "packages/schemas/src/a.ts",
        'import "effect/Effect";',
        /may not import effect\/Effect/u,
      ],
      [
        "proof uses schemas only",
        "packages/proof/src/a.ts",
        'export * from "@runproof/drivers/Store";',
        /may not import @runproof\/drivers/u,
      ],
      [
        "proof runs no effects",
        "packages/proof/src/a.ts",
        'import "effect/Effect";',
        /may not import effect\/Effect/u,
      ],
      [
        "proof takes no barrel",
        "packages/proof/src/a.ts",
        'import { Effect } from "effect";',
        /may not import effect:/u,
      ],
      [
        "proof reads no files",
        "packages/proof/src/deep/a.ts",
        'const fs = await import("node:fs");',
        /may not import node:fs/u,
      ],
      [
        "drivers know no coordinator",
        "packages/drivers/src/a.ts",
        'import type { Run } from "@runproof/spine-coordinators/Run";',
        /may not import @runproof\/spine/u,
      ],
      [
        "drivers know no tooling",
        "packages/drivers/src/a.ts",
        'import "@runproof/tooling/PostgresServer";',
        /may not import @runproof\/tooling/u,
      ],
      [
        "coordinators know no caller",
        `${spine}/a.ts`,
        'import "@runproof/cli/main";',
        /may not import @runproof\/cli/u,
      ],
      [
        "coordinators reach drivers through bridges",
        `${spine}/a.ts`,
        'import { store } from "@runproof/drivers/Store";',
        /only bridges and layers/u,
      ],
      [
        "a mixed import is one of values",
        `${spine}/a.ts`,
        'import { type A, store } from "@runproof/drivers/Store";',
        /only bridges and layers/u,
      ],
      [
        "coordinators write no SQL",
        `${spine}/a.ts`,
        'import "effect/sql/SqlClient";',
        /only packages\/drivers/u,
      ],
      [
        "cli reaches no driver",
        "packages/cli/src/a.ts",
        'import "@runproof/drivers/Store";',
        /may not import @runproof\/drivers/u,
      ],
      [
        "cli names no driver's type",
        "packages/cli/src/a.ts",
        'export type A = import("@runproof/drivers/Store").A;',
        /may not import @runproof\/drivers/u,
      ],
      [
        "api reaches no driver",
        "apps/api/src/a.ts",
        'const a = import("@runproof/drivers/Store");',
        /may not import @runproof\/drivers/u,
      ],
      [
        "api opens no database",
        "apps/api/src/a.ts",
        'import "effect/sql/SqlClient";',
        /only packages\/drivers/u,
      ],
      [
        "no way around by a path",
        "packages/cli/src/a.ts",
        'import "../../drivers/src/Store.ts";',
        /leaves its package/u,
      ],
      [
        "no way around by a computed name",
        "packages/cli/src/a.ts",
        "const a = import(process.argv[2]);",
        /computed/u,
      ],
      ["nothing undeclared", "packages/cli/src/a.ts", 'import "vitest";', /does not declare/u],
      ["no file unread", "packages/cli/src/a.ts", "import {", /can't be parsed/u],
    ];

  it.each(breaches)("%s", (_why, file, text, says) => {
    using tree = workspace();
    tree.write(file, text);
    const violations = layerViolations(tree.root);
    expect(violations).toEqual([expect.stringMatching(says)]);
    expect(violations[0]).toContain(file);
  });

  it.each([
    ["packages/schemas", "@runproof/proof"],
    ["packages/proof", "@runproof/drivers"],
    ["packages/drivers", "@runproof/spine-coordinators"],
    ["packages/spine-coordinators", "@runproof/cli"],
    ["packages/cli", "@runproof/drivers"],
    ["apps/api", "@runproof/drivers"],
    ["apps/api", "@runproof/cli"],
  ])("%s may not declare %s", (folder, name) => {
    using tree = workspace();
    tree.write(`${folder}/package.json`, manifest(folder, [...(dependencies[folder] ?? []), name]));
    expect(layerViolations(tree.root)).toEqual([
      `${folder}/package.json: may not depend on ${name}`,
    ]);
  });

  it("do not hold for a layer that is not there", () => {
    using tree = workspace();
    tree.remove("packages/proof/src");
    expect(layerViolations(tree.root)).toEqual(["packages/proof: no sources in src"]);
    tree.remove("packages/proof");
    expect(layerViolations(tree.root)).toEqual(["packages/proof: no package.json"]);
  });
});

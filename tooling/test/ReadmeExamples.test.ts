import { describe, expect, it } from "vitest";
import { failingExamples, readmeViolations } from "../ReadmeExamples.ts";
import { FixtureTree } from "./FixtureTree.ts";

const example = 'console.log("proved");\n';
const readme = `# proof\n\n\`\`\`ts\n${example}\`\`\`\n\n\`\`\`sh\nls\n\`\`\`\n`;

const files = {
  "README.md": "# runproof\n",
  "packages/proof/package.json": "{}",
  "packages/proof/README.md": readme,
  "packages/proof/examples/prove.ts": example,
};

describe("a README's TypeScript", () => {
  it("may equal an example, byte for byte", () => {
    using tree = new FixtureTree(files);
    expect(readmeViolations(tree.root)).toEqual([]);
  });

  it.each([
    ["a byte", readme.replace("proved", "Proved")],
    ["white space", readme.replace('log("', 'log( "')],
    ["a missing last line", readme.replace("```ts\n", "```ts\n\n")],
    ["another name of the language", readme.replace("```ts", "```typescript\n//")],
    ["tildes", readme.replace("```ts", "~~~ts\n//").replace("```\n", "~~~\n")],
    ["a fence that never ends", "\n\n```ts\nnever();\n"],
  ])("may not differ in %s", (_what, text) => {
    using tree = new FixtureTree({ ...files, "packages/proof/README.md": text });
    expect(readmeViolations(tree.root)).toEqual([
      "packages/proof/README.md:3: the ts block equals no file of the examples folder",
    ]);
  });

  it("is checked in the workspace's own README and in the apps' too", () => {
    using tree = new FixtureTree({
      ...files,
      "README.md": readme,
      "apps/api/package.json": "{}",
      "apps/api/README.md": readme,
    });
    expect(readmeViolations(tree.root)).toEqual([
      "README.md:3: the ts block equals no file of the examples folder",
      "apps/api/README.md:3: the ts block equals no file of the examples folder",
    ]);
  });

  it("is there for every package", () => {
    using tree = new FixtureTree({ ...files, "packages/proof/README.md": "# proof\n" });
    expect(readmeViolations(tree.root)).toEqual([
      "packages/proof/README.md: shows no example in a ts block",
    ]);
    tree.remove("packages/proof/README.md");
    expect(readmeViolations(tree.root)).toEqual(["packages/proof/README.md: missing"]);
  });
});

describe("an example", () => {
  it("is run, with a database of its own where it names one and none where it does not", async () => {
    using tree = new FixtureTree({
      ...files,
      "packages/proof/examples/alone.ts":
        'if (Object.keys(process.env).some((name) => name.startsWith("DATABASE"))) throw new Error("has one");\n',
      "packages/proof/examples/server.ts":
        'if (!process.env["DATABASE_URL"]?.includes("/t_")) throw new Error("has none");\n',
    });
    expect(await failingExamples(tree.root)).toEqual([]);
  });

  it("that fails is named with what it printed", async () => {
    using tree = new FixtureTree({
      ...files,
      "packages/proof/examples/wrong.ts": 'console.log("before"); process.exit(3);\n',
    });
    expect(await failingExamples(tree.root)).toEqual([
      "packages/proof/examples/wrong.ts: ended with 3\nbefore\n",
    ]);
  });
});

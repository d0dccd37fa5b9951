/** Checks that what is published has its release notes: a changeset waits for each package that has no CHANGELOG yet. */
import * as fs from "node:fs";
import * as path from "node:path";

/** One file of `.changeset`: which packages it raises, how, and the sentence for their CHANGELOG. */
interface Changeset {
  readonly name: string;
  readonly bumps: ReadonlyArray<readonly [packageName: string, bump: string]>;
  readonly summary: string;
}

const bumps = ["major", "minor", "patch"];

/** The packages that are published, by folder: all of `packages` and `apps` that are not private. */
export function publishedPackages(root: string): ReadonlyMap<string, string> {
  const folders = ["apps", "packages"].flatMap((parent) => {
    const place = path.join(root, parent);
    return fs.existsSync(place) ? fs.readdirSync(place).map((name) => path.join(place, name)) : [];
  });
  return new Map(
    folders.toSorted().flatMap((folder) => {
      const file = path.join(folder, "package.json");
      if (!fs.existsSync(file)) return [];
      const manifest = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, unknown>;
      return manifest["private"] === true ? [] : [[path.dirname(file), String(manifest["name"])]];
    }),
  );
}

/** All that is wrong with the changesets, as sentences. */
export function releaseNoteViolations(root: string): ReadonlyArray<string> {
  const folder = path.join(root, ".changeset");
  const changesets = fs
    .readdirSync(folder)
    .filter((name) => name.endsWith(".md") && name !== "README.md")
    .map((name) => parseChangeset(name, fs.readFileSync(path.join(folder, name), "utf8")));
  const published = publishedPackages(root);
  const names = [...published.values()];
  const waiting = changesets.flatMap((changeset) => changeset.bumps.map(([name]) => name));
  return [
    ...changesets.flatMap((changeset) => changesetViolations(changeset, names)),
    ...[...published]
      .filter(
        ([place, name]) =>
          !fs.existsSync(path.join(place, "CHANGELOG.md")) && !waiting.includes(name),
      )
      .map(([, name]) => `${name} has neither a CHANGELOG.md nor a changeset`),
  ];
}

function parseChangeset(name: string, text: string): Changeset {
  const [, header = "", summary = ""] = /^---\n(.*?)\n?---\n(.*)$/su.exec(text) ?? [];
  const lines = header.split("\n").filter((line) => line.trim() !== "");
  return {
    name,
    bumps: lines.map((line) => {
      const [, packageName = line, bump = ""] = /^"([^"]+)": (\w+)$/u.exec(line) ?? [];
      return [packageName, bump] as const;
    }),
    summary: summary.trim(),
  };
}

function changesetViolations(
  { name, bumps: raised, summary }: Changeset,
  published: ReadonlyArray<string>,
): ReadonlyArray<string> {
  const place = `.changeset/${name}`;
  return [
    ...(raised.length === 0 ? [`${place}: names no package`] : []),
    ...(summary === "" ? [`${place}: says nothing`] : []),
    ...raised.flatMap(([packageName, bump]) => [
      ...(published.includes(packageName) ? [] : [`${place}: ${packageName} is not published`]),
      ...(bumps.includes(bump) ? [] : [`${place}: "${bump}" is not ${bumps.join(", ")}`]),
    ]),
  ];
}

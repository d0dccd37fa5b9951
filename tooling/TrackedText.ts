/** Checks that no tracked file carries a secret, a path of the machine it was written on, or a registry's address. */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { homedir, tmpdir } from "node:os";
import * as path from "node:path";

interface Rule {
  readonly what: string;
  readonly pattern: RegExp;
}

const secrets: ReadonlyArray<Rule> = [
  {
    what: "a private key",
    pattern: /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*\n?[A-Za-z0-9+/=]{32}/u,
  },
  {
    what: "a note signer's key",
    pattern: /PRIVATE\+KEY\+[\w.-]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44}/u,
  },
  {
    what: "an access token",
    pattern: /\b(?:npm_|gh[opsru]_)[A-Za-z0-9]{36}\b|\bAKIA[0-9A-Z]{16}\b/u,
  },
  { what: "a registry's token", pattern: /_authToken\s*=\s*[\w-]{8}/u },
];

const addresses: ReadonlyArray<Rule> = [
  {
    what: "a registry's address",
    pattern: /\bhttps?:\/\/[\w.-]*registry[\w.-]*|\bregistry\.npm\w*\.\w+/u,
  },
  { what: "a path in root's home", pattern: /(?<![\w.$}])\/root\/\w/u },
];

/** What only this machine's paths look like: the checkout, what holds it, and the user's home. */
function machineRules(root: string): ReadonlyArray<Rule> {
  const telling = [root, path.dirname(root), homedir()].filter(
    (folder) => !["", "/", "/root", tmpdir(), "/tmp"].includes(folder),
  );
  return telling.map((folder) => ({
    what: "a path of this machine",
    pattern: new RegExp(`(?<![\\w.$}])${escape(folder)}(?![\\w.-])`, "u"),
  }));
}

/** Node 22 has no `RegExp.escape`. */
function escape(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/gu, "\\$&");
}

/** Each finding as `file:line: what`. */
export function trackedTextViolations(root: string): ReadonlyArray<string> {
  const rules = [...secrets, ...addresses, ...machineRules(root)];
  return trackedFiles(root).flatMap((name) => {
    const file = path.join(root, name);
    if (!fs.existsSync(file)) return [];
    const text = fs.readFileSync(file, "utf8");
    return rules.flatMap(({ what, pattern }) => {
      const found = pattern.exec(text);
      return found === null
        ? []
        : [`${name}:${text.slice(0, found.index).split("\n").length}: holds ${what}`];
    });
  });
}

function trackedFiles(root: string): ReadonlyArray<string> {
  const printed = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" });
  return printed.split("\0").filter((name) => name !== "");
}

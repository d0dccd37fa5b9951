import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";

/** Writes files, by their path, into a new folder; removes it when it is disposed. */
export class FixtureTree {
  readonly root = fs.mkdtempSync(path.join(tmpdir(), "runproof-fixture-"));

  constructor(files: Readonly<Record<string, string>>) {
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  write(name: string, text: string): void {
    const file = path.join(this.root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }

  remove(name: string): void {
    fs.rmSync(path.join(this.root, name), { recursive: true });
  }

  [Symbol.dispose](): void {
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

/** The base of every error that this package throws: an input that can't be taken, with where, what and a remedy. */

/** An input that was refused. Nothing was done with it. */
export abstract class Refusal extends Error {
  abstract readonly _tag: string;
  /** A JSON path such as `$.a[3].b`, or another place in the input. */
  readonly path: string;
  /** What is wrong, as a sentence without its full stop. */
  readonly what: string;
  /** What to do about it. */
  readonly remedy: string;

  constructor(path: string, what: string, remedy: string) {
    super(`${path}: ${what}`);
    this.path = path;
    this.what = what;
    this.remedy = remedy;
  }

  override get name(): string {
    return this._tag;
  }
}

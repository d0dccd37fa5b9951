/** One step of the schema: statements run in one transaction. What was applied is never edited; add a new one. */
export interface Migration {
  readonly id: number;
  readonly name: string;
  readonly statements: ReadonlyArray<string>;
}

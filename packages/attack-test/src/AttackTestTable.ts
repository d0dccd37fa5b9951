/** The result of an attack test as a table: for the documentation, and for whoever wants to know what is shown and what not. */
import type { AttackTestReport, RowResult, WayResult } from "./AttackTestCoordinator.ts";

export { attackTable } from "./internal/AttackTable.ts";

/** What came of a row's attacks, in words. */
export const outcomeOf = ({ row, ways, not_yet }: RowResult): string => {
  if (not_yet !== undefined) return `not yet: ${not_yet}`;
  if (ways.some(({ right, instances }) => right < instances)) return "FAILED";
  const outcomes = new Set(ways.map(({ outcome }) => outcome));
  if (outcomes.size === 1 && outcomes.has("undetected")) return "not detectable, by design";
  const found = foundAs(ways);
  if (outcomes.has("undetected")) return `not detectable, by design; then ${found}`;
  if (row === ROW_OF_GUESSES) return "refused, by design";
  return found;
};

/** Nothing has to notice a guess: it can't be made. */
const ROW_OF_GUESSES = 19;

const sentence = (words: ReadonlyArray<string>): string => [...new Set(words)].join(", ");

const foundAs = (ways: ReadonlyArray<WayResult>): string => {
  const of = (outcome: WayResult["outcome"]) =>
    sentence(ways.filter((way) => way.outcome === outcome).flatMap((way) => way.found));
  const [caught, refused] = [of("caught"), of("refused")];
  return [
    ...(caught === "" ? [] : [caught]),
    ...(refused === "" ? [] : [`refused: ${refused}`]),
  ].join("; ");
};

/** What came of one way. */
export const wayOutcome = (way: WayResult): string => {
  if (way.right < way.instances) return "FAILED";
  if (way.outcome === "undetected") return "not detectable, by design";
  const found = sentence(way.found);
  return way.outcome === "refused" ? `refused: ${found}` : found;
};

const cell = (text: string): string => text.replaceAll("|", "\\|");

const line = (...cells: ReadonlyArray<string>): string => `| ${cells.map(cell).join(" | ")} |`;

/** The report as a page of the documentation: the same for every run that ends as it must. */
export const toMarkdown = (report: AttackTestReport): string =>
  [
    "# What an attack is caught as",
    "",
    "Made by `runproof attack-test`, which makes a throwaway database, attacks it as a live superuser in every way below, many",
    "random instances each, and fails unless each is found as this table says, at the run and step that were attacked, and nothing",
    "is found of the runs that were not. The attackers of rows 7, 9 and 10 know the format and recompute every hash they can.",
    "",
    "Rows 8 and 20 are open, and no log can close them: the tail of a run that is still open, cut before its next HEAD entry; and",
    "an agent that lies or never reports. Rows 11, 13 and 14 need witnesses or time tokens, which are not here yet.",
    "",
    line("#", "attack", "from level", "caught by", "caught as"),
    line("---", "---", "---", "---", "---"),
    ...report.rows.map((row) =>
      line(String(row.row), row.attack, row.level, row.caught_by, outcomeOf(row)),
    ),
    "",
    "## Each way of each attack",
    "",
    line("#", "what the attacker does", "caught as"),
    line("---", "---", "---"),
    ...report.rows.flatMap(({ row, ways }) =>
      ways.map((way) => line(String(row), way.way, wayOutcome(way))),
    ),
    "",
    "The codes are explained in [audit.md](audit.md). `S6001` and `S6003` are the database's own refusals, `42501` PostgreSQL's for",
    "a right that is not held; `signer` is what the signer says instead of signing.",
    "",
  ].join("\n");

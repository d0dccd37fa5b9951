/** An audit's findings as people read them: each one whole, how many there are of each code, and what to do next. */
import type { AuditFinding, AuditReport } from "@runproof/schemas/AuditReport";
import { number } from "./Count.ts";
import { program, quote } from "./Invocation.ts";
import { printable, type Screen, tone, wrap } from "./Screen.ts";
import * as Table from "./Table.ts";

const placeOf = ({ run_id, trace_id, object }: AuditFinding): string =>
  run_id ?? trace_id ?? object ?? "the log";

const indexOf = ({ step_index, log_index }: AuditFinding): string => {
  if (step_index !== null) return `step ${step_index}`;
  return log_index === null ? "" : `entry ${log_index}`;
};

/** The message without the place that it begins with, which stands beside it. */
const whatOf = (finding: AuditFinding): string => {
  const places = [
    finding.object,
    `the checkpoint of ${finding.object}`,
    placeOf(finding),
    finding.trace_id === null ? null : `trace ${finding.trace_id}`,
    finding.step_index === null ? null : `step ${finding.step_index}`,
  ];
  const said = places.find((place) => place !== null && finding.message.startsWith(`${place}: `));
  return said == null ? finding.message : finding.message.slice(said.length + 2);
};

const table = (screen: Screen, findings: ReadonlyArray<AuditFinding>): string =>
  Table.render(
    screen,
    [
      { heading: "finding" },
      { heading: "tenant_id" },
      { heading: "where" },
      { heading: "at" },
      { heading: "what" },
    ],
    findings.map((finding) => [
      { text: finding.code, paint: (text) => tone(screen, "bad", text) },
      { text: printable(finding.tenant_id ?? "") },
      { text: printable(placeOf(finding)) },
      { text: indexOf(finding) },
      { text: printable(whatOf(finding)) },
    ]),
  );

const block = (screen: Screen, finding: AuditFinding): string => {
  const { code, run_id, tenant_id, trace_id } = finding;
  const kind = run_id !== null ? "run " : trace_id !== null ? "trace " : "";
  const place = [
    `${kind}${placeOf(finding)}`,
    ...(tenant_id === null ? [] : [`tenant ${tenant_id}`]),
    ...(indexOf(finding) === "" ? [] : [indexOf(finding)]),
  ].join(", ");
  return [
    wrap(printable(place), screen.columns, `${code}  `).replace(code, tone(screen, "bad", code)),
    wrap(printable(whatOf(finding)), screen.columns, "  "),
  ].join("\n");
};

/** The findings: one line each for a pipe, and on a terminal wrapped, with nothing cut. */
export const render = (screen: Screen, findings: ReadonlyArray<AuditFinding>): string =>
  screen.live
    ? findings.map((finding) => block(screen, finding)).join("\n")
    : table(screen, findings);

/** How many findings there are of each code, the most first. */
export const totals = ({ findings_by_code }: AuditReport): string =>
  Object.entries(findings_by_code)
    .toSorted(([, left], [, right]) => right - left)
    .map(([code, count]) => `${number(count)} ${code}`)
    .join(", ");

/** What to do next, the commands as they can be typed. */
export const nextSteps = ({ findings, checkpoints }: AuditReport): ReadonlyArray<string> => {
  const named = findings.find(({ run_id, tenant_id }) => run_id !== null && tenant_id !== null);
  const isUnsigned =
    checkpoints.length === 0 && findings.some(({ code }) => code === "KEY_UNTRUSTED");
  const hasDrift = findings.some(({ code }) => code === "CATALOG_DRIFT");
  return [
    "keep the database as it is, and work on a copy; docs/audit.md says what each code means",
    ...(named === undefined
      ? []
      : [
          `on the copy: ${program()} proof ${quote(named.run_id!)} --tenant-id ${quote(named.tenant_id!)}`,
        ]),
    ...(isUnsigned
      ? [`if this log was never signed: ${program()} checkpoint signs it, and then audit again`]
      : []),
    ...(hasDrift ? [`on the copy: ${program()} doctor`] : []),
  ];
};

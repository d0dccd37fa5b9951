/** A verdict as people read it. What it does not cover is said as plainly as what it does. */
import { type Finding, isHarmless } from "@runproof/schemas/Finding";
import {
  type Assurance,
  CAPTURE_MEANING,
  type RunProofResult,
  type VerificationStatus,
} from "@runproof/schemas/RunProofResult";
import type { Lifecycle } from "@runproof/schemas/SealRecord";
import { counted } from "./Count.ts";
import type { ExitCode } from "./ExitCode.ts";
import { printable, type Screen, type Tone, tone, wrap } from "./Screen.ts";

/** The exit code of a verdict. */
export const exitCode = (status: VerificationStatus): ExitCode =>
  ({ VERIFIED: 0, FAILED: 6, UNSUPPORTED: 7 } as const)[status];

/** How a verdict stands out. */
export const tones: Record<VerificationStatus, Tone> = {
  VERIFIED: "good",
  FAILED: "bad",
  UNSUPPORTED: "caution",
};

/** What a level of assurance shows, and what it does not. */
const shows: Record<Assurance, string> = {
  SELF: "the records agree with their seal. It does not show that whoever owns the database never rewrote both: a bundle or root kept elsewhere does.",
  SIGNED:
    "the run's start and seal are in a log signed by a key that you trust. It does not show that everyone was shown the same log.",
  WITNESSED:
    "the witnesses that your policy asks for saw the same log. It does not show at what time.",
  ANCHORED:
    "a trusted time covers the log. It does not show what an agent never reported: no log can.",
};

const drawFinding = (
  screen: Screen,
  { code, step_index, message }: Finding,
  lifecycle: Lifecycle | null,
): string => {
  const place = step_index === null ? "" : `step ${step_index}: `;
  const what = message.startsWith(place) ? message : place + message;
  const first = `  ${screen.unicode ? "•" : "*"} `;
  const name: Tone = isHarmless({ code }, lifecycle) ? "caution" : "bad";
  const text = wrap(`${code} ${printable(what)}`, screen.columns, first);
  return first + tone(screen, name, code) + text.slice(first.length + code.length);
};

const LABEL_CELLS = 11;

const field = (screen: Screen, label: string, value: string): string =>
  wrap(value, screen.columns, `  ${label.padEnd(LABEL_CELLS)}`);

/** Draws a verdict. `subject` names what was checked, such as a run of a tenant or a file. */
export const render = (
  screen: Screen,
  subject: string,
  result: Pick<
    RunProofResult,
    "integrity" | "lifecycle" | "capture" | "assurance" | "findings" | "notes"
  >,
): string => {
  const { integrity, lifecycle, capture, assurance, findings, notes } = result;
  const status = integrity.verification_status;
  const steps = counted(integrity.chain_length, "step");
  // One finding says it itself.
  const said = findings.length === 1 && findings[0]?.message === integrity.failure_reason;
  const reason =
    integrity.failure_reason === null || said
      ? []
      : [field(screen, "reason", printable(integrity.failure_reason))];
  return [
    `${tone(screen, tones[status], tone(screen, "strong", status))}  ${printable(subject)}`,
    ...reason,
    field(screen, "model", `${integrity.model} over ${steps}`),
    field(screen, "root", integrity.root_hash ?? "-"),
    field(screen, "lifecycle", lifecycle ?? "-"),
    ...(capture === null
      ? []
      : [field(screen, "capture", `${capture}: ${CAPTURE_MEANING[capture]}`)]),
    ...(assurance === null
      ? []
      : [field(screen, "assurance", `${assurance}: ${shows[assurance]}`)]),
    ...notes // The level is explained above.
      .filter((note) => !note.startsWith(`${assurance}:`))
      .map((note) => field(screen, "note", printable(note))),
    ...(findings.length === 0
      ? []
      : ["", ...findings.map((finding) => drawFinding(screen, finding, lifecycle))]),
  ].join("\n");
};

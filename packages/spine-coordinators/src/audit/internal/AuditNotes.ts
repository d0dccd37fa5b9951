import type { AuditReport } from "@runproof/schemas/AuditReport";
import type { AuditTally } from "./AuditTally.ts";
import { STORED_SOURCE } from "./CheckpointCheck.ts";

/** What the notes are made from. */
export interface AuditNeeds {
  readonly since: AuditReport["since"];
  readonly widened: "untrusted" | "shrunk" | "too much" | null;
  readonly tally: Pick<AuditTally, "traces" | "checked" | "claims">;
  readonly compared: AuditReport["checkpoints"];
}

const count = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;

const scopeNotes = ({ since, widened }: AuditNeeds): ReadonlyArray<string> => {
  if (since !== null) {
    return [
      `Not checked again: the ${since.tree_size} entries under the checkpoint that was given, and the traces sealed under it. What was changed in them since their last audit is not seen here, but for a run that is gone.`,
    ];
  }
  const reasons = {
    untrusted: "the checkpoint to go on from is signed by none of the keys given",
    shrunk: "the log is smaller than the checkpoint to go on from",
    "too much": "too much is new since the checkpoint to go on from",
  } as const;
  return widened === null ? [] : [`Everything was checked, for ${reasons[widened]}.`];
};

const checkpointNotes = ({ compared }: AuditNeeds): ReadonlyArray<string> => {
  if (compared.length === 0) {
    return [
      "No checkpoint was there to compare with: that all of it, the log included, was rewritten or cut at its end would not be seen.",
    ];
  }
  const unchecked = compared.filter(({ signature }) => signature === "unchecked");
  const isOnlyStored = compared.every(({ source }) => source === STORED_SOURCE);
  return [
    ...(unchecked.length === 0
      ? []
      : [
          `The signature was not checked of the checkpoint of ${unchecked.map(({ source }) => source).join(", ")}: no key was given. Whoever rewrote the log could have written this checkpoint too.`,
        ]),
    ...(isOnlyStored
      ? [
          "The checkpoint is the database's own: an older one, put back with an older state of the database, would agree with it. One kept elsewhere shows that.",
        ]
      : []),
  ];
};

const openNotes = ({ tally: { traces, checked } }: AuditNeeds): ReadonlyArray<string> => {
  const open = traces.open + traces.open_past_lease;
  return [
    ...(open === 0
      ? []
      : [
          `${count(open, "trace is", "traces are")} open: steps cut from its end since its last HEAD entry would not be seen.`,
        ]),
    ...(traces.empty === 0
      ? []
      : [
          `${count(traces.empty, "sealed trace has", "sealed traces have")} no steps: nothing to verify.`,
        ]),
    ...(checked.entries_pending === 0
      ? []
      : [
          `${count(checked.entries_pending, "entry waits", "entries wait")} for an index in the log: counted as there, and under no checkpoint yet.`,
        ]),
  ];
};

const claimNotes = ({ tally: { claims } }: AuditNeeds): ReadonlyArray<string> => [
  ...claims.met.map(
    (index) =>
      `Entry ${index} adds a key that no key signed. It counts for nothing: it was said to be known.`,
  ),
  ...claims.none.map(
    (index) => `Entry ${index} was said to be a known claim, and none was met there.`,
  ),
];

/** What an audit did not check, or can't, in sentences. */
export const notesOf = (needs: AuditNeeds): ReadonlyArray<string> => [
  ...scopeNotes(needs),
  ...checkpointNotes(needs),
  ...openNotes(needs),
  ...claimNotes(needs),
];

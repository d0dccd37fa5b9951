/** The rows of the table of attacks, as the documentation has them. */

/** What a row claims. */
export interface AttackRow {
  readonly row: number;
  readonly attack: string;
  /** What catches it, in words. */
  readonly caught_by: string;
  /** From which level of assurance on. */
  readonly level: string;
  /** Where nothing is attacked yet: why. */
  readonly not_yet?: string;
}

export const attackTable: ReadonlyArray<AttackRow> = [
  {
    row: 1,
    attack: "edit a record or a payload",
    caught_by: "leaf and link recomputed",
    level: "SELF",
  },
  {
    row: 2,
    attack: "edit only a queryable column",
    caught_by: "column compared with the record",
    level: "SELF",
  },
  {
    row: 3,
    attack: "delete, insert or reorder in the middle",
    caught_by: "index and link",
    level: "SELF",
  },
  {
    row: 4,
    attack: "move bytes between fields, reuse a record as another type",
    caught_by: "canonical form, type tag, fixed-width hashing",
    level: "SELF",
  },
  {
    row: 5,
    attack: "move a step to another run or tenant",
    caught_by: "trace_id in every record, tenant in the trace record",
    level: "SELF",
  },
  {
    row: 6,
    attack: "cut the tail of a sealed run",
    caught_by: "count, head and root in the seal",
    level: "SELF",
  },
  {
    row: 7,
    attack: "cut or rewrite a sealed run and forge its seal",
    caught_by: "SEALED entry in the signed tree",
    level: "SIGNED",
  },
  {
    row: 8,
    attack: "cut the tail of an open run",
    caught_by: "the next HEAD entry; before it, nothing",
    level: "after HEAD",
  },
  {
    row: 9,
    attack: "delete a whole run",
    caught_by: "OPENED entry, gapless index",
    level: "SIGNED",
  },
  {
    row: 10,
    attack: "rewrite every row, head and log entry, as superuser",
    caught_by: "an older checkpoint held outside fails consistency; the signer refuses",
    level: "SIGNED with an old checkpoint",
  },
  {
    row: 11,
    attack: "as 10, with the log key stolen",
    caught_by: "witness quorum or time token on the old root",
    level: "WITNESSED",
    not_yet: "needs witnesses",
  },
  {
    row: 12,
    attack: "restore an old backup",
    caught_by: "tree smaller than the last signed one",
    level: "SIGNED",
  },
  {
    row: 13,
    attack: "show two parties different logs",
    caught_by: "witnesses; comparing checkpoints",
    level: "WITNESSED",
    not_yet: "needs witnesses",
  },
  {
    row: 14,
    attack: "backdate with a stolen key",
    caught_by: "time token",
    level: "ANCHORED",
    not_yet: "needs time tokens",
  },
  {
    row: 15,
    attack: "DDL tricks",
    caught_by: "hashes, counts, catalog drift",
    level: "SELF",
  },
  {
    row: 16,
    attack: "fork by concurrent append",
    caught_by: "refused when written",
    level: "prevented",
  },
  {
    row: 17,
    attack: "call a crashed run complete",
    caught_by: "the database refuses; recovery may only abort",
    level: "prevented",
  },
  {
    row: 18,
    attack: "prune or erase without a record",
    caught_by: "EVENT entry must match what is left",
    level: "SIGNED",
  },
  {
    row: 19,
    attack: "guess erased personal data from its hash",
    caught_by: "the 128-bit salt is gone",
    level: "by design",
  },
  {
    row: 20,
    attack: "the agent lies or never reports",
    caught_by: "no log can catch it",
    level: "none",
  },
  {
    row: 21,
    attack: "a bundle that brings its own key",
    caught_by: "trust comes from outside the bundle only",
    level: "all",
  },
  {
    row: 22,
    attack: "malformed proofs: short, long, index beyond size, size 0",
    caught_by: "a strict parser",
    level: "all",
  },
];

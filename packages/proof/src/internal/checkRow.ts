import { isTimestamp } from "@runproof/schemas/Timestamp";
import { isPayloadOf } from "../Payload.ts";
import type { FindingList } from "./FindingList.ts";

/** Whose row is checked: what messages call it, and its index where it is a step's. */
export interface RowName {
  readonly name: string;
  readonly step_index: number | null;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/** A property of what may be anything. */
export const fieldOf = (holder: unknown, key: string): unknown =>
  isObject(holder) && Object.hasOwn(holder, key) ? holder[key] : undefined;

/** Finds every queryable column that is not what it should be, or is missing, or is one too many. */
export const checkColumns = (
  findings: FindingList,
  row: RowName,
  columns: unknown,
  expected: ReadonlyMap<string, unknown>,
  codeOf: (column: string) => "COLUMN_MISMATCH" | "SEAL_MISMATCH" = () => "COLUMN_MISMATCH",
): void => {
  if (!isObject(columns)) {
    findings.add("COLUMN_MISMATCH", row.step_index, `${row.name}: there are no columns`);
    return;
  }
  for (const [column, value] of expected) {
    if (!Object.hasOwn(columns, column)) {
      findings.add(codeOf(column), row.step_index, `${row.name}: the column ${column} is missing`);
    } else if (columns[column] !== value) {
      findings.add(
        codeOf(column),
        row.step_index,
        `${row.name}: the column ${column} differs from the record`,
      );
    }
  }
  for (const column of Object.keys(columns)) {
    if (!expected.has(column)) {
      findings.add(
        "COLUMN_MISMATCH",
        row.step_index,
        `${row.name}: the column ${column} has no place in the record`,
      );
    }
  }
};

/** The payloads of a row, and what is known of their erasure. */
export interface PayloadRow {
  /** The record's commitments by payload name. */
  readonly commitments: ReadonlyMap<string, string | null>;
  readonly payloads: unknown;
  readonly isErasureRecorded: (payloadName: string) => boolean;
}

/** How many of a row's payloads are gone, and how many of those by a recorded erasure. */
export interface Absences {
  readonly gone: number;
  readonly erased: number;
}

type PayloadState = "none" | "held" | "half" | "missing" | "erased";

const stateOf = (payload: unknown, isErasureRecorded: boolean): Exclude<PayloadState, "none"> => {
  // What is no payload at all, yet there, is neither gone nor whole.
  if ((payload ?? null) !== null && !isObject(payload)) return "half";
  const [salt, text] = [fieldOf(payload, "salt") ?? null, fieldOf(payload, "text") ?? null];
  if (salt === null && text === null) return isErasureRecorded ? "erased" : "missing";
  return salt === null || text === null ? "half" : "held";
};

const checkPayload = (
  findings: FindingList,
  row: RowName,
  name: string,
  commitment: string | null,
  payload: unknown,
  isErasureRecorded: boolean,
): PayloadState => {
  const find = (code: "PAYLOAD_MISMATCH" | "PAYLOAD_MISSING" | "PAYLOAD_ERASED", what: string) =>
    findings.add(code, row.step_index, `${row.name}: ${name} ${what}`);
  const state = stateOf(payload, isErasureRecorded);
  if (commitment === null) {
    if (state === "held" || state === "half")
      find("PAYLOAD_MISMATCH", "is there though the record commits to none");
    return "none";
  }
  if (state === "half")
    find("PAYLOAD_MISSING", "is half there: its salt or its value is gone, and the other is left");
  else if (state === "missing")
    find("PAYLOAD_MISSING", "is gone, and no erasure of it is recorded");
  else if (state === "erased") find("PAYLOAD_ERASED", "was erased, as recorded");
  else if (isErasureRecorded) find("PAYLOAD_MISMATCH", "is there though its erasure is recorded");
  else if (!isPayloadOf(commitment, name, fieldOf(payload, "salt"), fieldOf(payload, "text"))) {
    find("PAYLOAD_MISMATCH", "is not what the record commits to");
  }
  return state;
};

/** Finds every payload that is not what the record commits to, or is gone, or is one too many. */
export const checkPayloads = (
  findings: FindingList,
  row: RowName,
  stored: PayloadRow,
): Absences => {
  const states = [...stored.commitments].map(([name, commitment]) => {
    const payload = fieldOf(stored.payloads, name);
    return checkPayload(findings, row, name, commitment, payload, stored.isErasureRecorded(name));
  });
  for (const name of isObject(stored.payloads) ? Object.keys(stored.payloads) : []) {
    if (!stored.commitments.has(name)) {
      findings.add(
        "PAYLOAD_MISMATCH",
        row.step_index,
        `${row.name}: the record has no payload ${name}`,
      );
    }
  }
  const erased = states.filter((state) => state === "erased").length;
  return {
    erased,
    gone: erased + states.filter((state) => state === "missing" || state === "half").length,
  };
};

/** Finds an `erased_at` that says otherwise than the payloads. */
export const checkErasedAt = (
  findings: FindingList,
  row: RowName,
  erased_at: unknown,
  absences: Absences,
): void => {
  const isSet = (erased_at ?? null) !== null;
  if (isSet && (typeof erased_at !== "string" || !isTimestamp(erased_at))) {
    findings.add("COLUMN_MISMATCH", row.step_index, `${row.name}: the column erased_at is no time`);
  } else if (isSet && absences.gone === 0) {
    findings.add(
      "COLUMN_MISMATCH",
      row.step_index,
      `${row.name}: the column erased_at is set, and no payload is gone`,
    );
  } else if (!isSet && absences.erased > 0) {
    findings.add(
      "COLUMN_MISMATCH",
      row.step_index,
      `${row.name}: the column erased_at is not set, and a payload is gone`,
    );
  }
};

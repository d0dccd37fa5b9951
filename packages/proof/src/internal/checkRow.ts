import { isTimestamp } from "@runproof/schemas/Timestamp";
import { isPayloadOf } from "../Payload.ts";
import type { FindingList } from "./FindingList.ts";

/** Whose row is checked: what messages call it, and its index where it is a step's. */
export interface RowName {
  readonly name: string;
  readonly step_index: number | null;
}

/** Whether something may have properties. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
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

/** The payloads of a row, and what is known of those that are not there. */
export interface PayloadRow {
  readonly payloads: unknown;
  readonly isErasureRecorded: (payloadName: string) => boolean;
  /** Whether a payload that is not there counts as withheld, as in a bundle, and not as gone. */
  readonly may_withhold: boolean;
}

/** How many of a row's payloads are gone, and how many of those by a recorded erasure. */
export interface Absences {
  readonly gone: number;
  readonly erased: number;
}

type PayloadState = "none" | "held" | "half" | "missing" | "withheld" | "erased";

const stateOf = (
  payload: unknown,
  isErasureRecorded: boolean,
  may_withhold: boolean,
): Exclude<PayloadState, "none"> => {
  // What is no payload at all, yet there, is neither gone nor whole.
  if ((payload ?? null) !== null && !isObject(payload)) return "half";
  const [salt, text] = [fieldOf(payload, "salt") ?? null, fieldOf(payload, "text") ?? null];
  if (salt !== null && text !== null) return "held";
  if (salt !== null || text !== null) return "half";
  return isErasureRecorded ? "erased" : may_withhold ? "withheld" : "missing";
};

const checkPayload = (
  findings: FindingList,
  row: RowName,
  name: string,
  commitment: string | null,
  stored: PayloadRow,
): PayloadState => {
  const find = (
    code: "PAYLOAD_MISMATCH" | "PAYLOAD_MISSING" | "PAYLOAD_ERASED",
    what: string,
  ): void => findings.add(code, row.step_index, `${row.name}: ${name} ${what}`);
  const payload = fieldOf(stored.payloads, name);
  const isErasureRecorded = stored.isErasureRecorded(name);
  const state = stateOf(payload, isErasureRecorded, stored.may_withhold);
  if (commitment === null) {
    if (state === "held" || state === "half") {
      find("PAYLOAD_MISMATCH", "is there though the record commits to none");
    }
    return "none";
  }
  if (state === "half") {
    find("PAYLOAD_MISSING", "is half there: its salt or its value is gone, and the other is left");
  } else if (state === "missing") {
    find("PAYLOAD_MISSING", "is gone, and no erasure of it is recorded");
  } else if (state === "erased") {
    find("PAYLOAD_ERASED", "was erased, as recorded");
  } else if (state === "held" && isErasureRecorded) {
    find("PAYLOAD_MISMATCH", "is there though its erasure is recorded");
  } else if (
    state === "held" &&
    !isPayloadOf(commitment, name, fieldOf(payload, "salt"), fieldOf(payload, "text"))
  ) {
    find("PAYLOAD_MISMATCH", "is not what the record commits to");
  }
  return state;
};

/** Finds every payload that is not what the record commits to, or is gone, or is one too many. */
export const checkPayloads = <Name extends string>(
  findings: FindingList,
  row: RowName,
  record: Readonly<Record<Name, string | null>>,
  names: ReadonlyArray<Name>,
  stored: PayloadRow,
): Absences => {
  const states = names.map((name) => checkPayload(findings, row, name, record[name], stored));
  const held = isObject(stored.payloads) ? Object.keys(stored.payloads) : [];
  for (const name of held.filter((key) => !(names as ReadonlyArray<string>).includes(key))) {
    const message = `${row.name}: the record has no payload ${name}`;
    findings.add("PAYLOAD_MISMATCH", row.step_index, message);
  }
  const erased = states.filter((state) => state === "erased").length;
  const gone = states.filter((state) => state === "missing" || state === "half").length;
  return { erased, gone: erased + gone };
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

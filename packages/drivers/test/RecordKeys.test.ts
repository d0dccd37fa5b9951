/** The database has the records' keys a second time, in its guards: they must be those of the schemas. */
import { expect, test } from "vitest";
import { migrations } from "@runproof/drivers/Migrations";
import { EVENT_RECORD_TYPE, EventRecord } from "@runproof/schemas/EventRecord";
import * as Schema from "effect/Schema";
import { SEAL_RECORD_KEYS, SEAL_RECORD_TYPE } from "@runproof/schemas/SealRecord";
import { STEP_RECORD_KEYS, STEP_RECORD_TYPE } from "@runproof/schemas/StepRecord";
import { TRACE_RECORD_KEYS, TRACE_RECORD_TYPE } from "@runproof/schemas/TraceRecord";

const statements = migrations.flatMap((migration) => migration.statements);

const records = [
  [TRACE_RECORD_TYPE, TRACE_RECORD_KEYS],
  [STEP_RECORD_TYPE, STEP_RECORD_KEYS],
  [SEAL_RECORD_TYPE, SEAL_RECORD_KEYS],
] as const;

test.each(records)("the guard of %s asks for its keys, in canonical order", (type, keys) => {
  const asked = statements.flatMap((statement) =>
    [...statement.matchAll(/runproof_require_record\([\w.]+, '([\w,]+)', '([^']+)'\)/gu)]
      .filter((match) => match[2] === type)
      .map((match) => match[1]),
  );
  expect(asked).toEqual([[...keys].toSorted().join(",")]);
});

test.each(records.slice(0, 3))("the guard of %s reads each key into a column", (type, keys) => {
  const guard = statements.find((statement) => statement.includes(`'${type}')`))!;
  const read = /json_to_record\([^)]*\) as x\(([^)]+)\)/u.exec(guard)![1]!;
  const names = read.split(",").map((column) => column.trim().split(/\s/u)[0]!.replaceAll('"', ""));
  expect(names.toSorted()).toEqual(keys.filter((key) => key !== "type").toSorted());
  for (const name of names.filter((each) => each !== "trace_id" || type === TRACE_RECORD_TYPE))
    expect(guard).toMatch(new RegExp(`r\\.("?)${name}\\1(?!\\w)`, "u"));
});

test("the guard of events asks for the keys that an event record has, and no other", () => {
  const event = {
    type: EVENT_RECORD_TYPE,
    event: "archival",
    trace_id: null,
    occurred_at: "2026-02-10T00:00:00.000000Z",
    actor: "a",
    reason: "r",
    detail: {},
  };
  const isEvent = Schema.is(EventRecord);
  expect(isEvent(event)).toBe(true);
  for (const key of Object.keys(event))
    expect(
      isEvent(Object.fromEntries(Object.entries(event).filter(([other]) => other !== key))),
    ).toBe(false);
  expect(isEvent({ ...event, other: null })).toBe(false);
  const asked = statements.flatMap(
    (statement) =>
      /runproof_require_record\(p_record, '([\w,]+)', 'runproof\/event@v1'\)/u.exec(
        statement,
      )?.[1] ?? [],
  );
  expect(asked).toEqual([Object.keys(event).toSorted().join(",")]);
});

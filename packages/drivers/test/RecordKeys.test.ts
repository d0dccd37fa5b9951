/** The database has the records' keys a second time, in its guards: they must be those of the schemas. */
import { expect, test } from "vitest";
import { migrations } from "@runproof/drivers/Migrations";
import { EVENT_RECORD_TYPE, EventRecord } from "@runproof/schemas/EventRecord";
import * as Schema from "effect/Schema";
import { SEAL_RECORD_KEYS, SEAL_RECORD_TYPE } from "@runproof/schemas/SealRecord";
import { STEP_RECORD_KEYS, STEP_RECORD_TYPE } from "@runproof/schemas/StepRecord";
import { TRACE_RECORD_KEYS, TRACE_RECORD_TYPE } from "@runproof/schemas/TraceRecord";

const statements = migrations.flatMap((migration) => migration.statements);

test.each([
  ["runproof_trace_record", TRACE_RECORD_TYPE, TRACE_RECORD_KEYS],
  ["runproof_step_record", STEP_RECORD_TYPE, STEP_RECORD_KEYS],
  ["runproof_seal_record", SEAL_RECORD_TYPE, SEAL_RECORD_KEYS],
] as const)("%s writes the keys of %s, in canonical order", (name, type, keys) => {
  const source = statements.find((statement) => statement.startsWith(`create function ${name}(`))!;
  const written = [...source.matchAll(/"(\w+)":/gu)].map((match) => match[1]);
  expect(written).toEqual([...keys].toSorted());
  expect(source).toContain(`"type":"${type}"`);
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

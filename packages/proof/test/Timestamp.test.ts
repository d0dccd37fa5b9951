/** Goal: a time keeps its microseconds, and nothing is rounded in silence. Method: pairs, refusals, and a round trip. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isTimestamp } from "@runproof/schemas/Timestamp";
import {
  formatTimestamp,
  normaliseTimestamp,
  parseTimestamp,
  TimestampInvalid,
  timestampNow,
} from "../src/Timestamp.ts";

const refusalOf = (text: string): TimestampInvalid => {
  try {
    return expect.unreachable(`read as ${normaliseTimestamp(text)}`);
  } catch (error) {
    expect(error).toBeInstanceOf(TimestampInvalid);
    return error as TimestampInvalid;
  }
};

describe("times", () => {
  it.each([
    ["2026-02-10T12:43:41.549430Z", "2026-02-10T12:43:41.549430Z"],
    ["2026-02-10T12:43:41Z", "2026-02-10T12:43:41.000000Z"],
    ["2026-02-10t12:43:41.5z", "2026-02-10T12:43:41.500000Z"],
    ["2026-02-10T14:43:41.549430+02:00", "2026-02-10T12:43:41.549430Z"],
    ["2026-02-10T00:00:00.000001-05:30", "2026-02-10T05:30:00.000001Z"],
    ["2026-02-10T12:43:41-00:00", "2026-02-10T12:43:41.000000Z"],
    ["2026-02-10T12:43:41.549430000Z", "2026-02-10T12:43:41.549430Z"],
    ["1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"],
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"],
    ["9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"],
    ["2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000Z"],
  ])("%s is %s", (text, normal) => {
    expect(normaliseTimestamp(text)).toBe(normal);
  });

  it.each([
    ["2026-02-10T12:43:41.5494301Z", "finer than a microsecond"],
    ["2026-02-10T12:43:41.0000000001Z", "finer than a microsecond"],
    ["2026-02-29T00:00:00Z", "no date"],
    ["1900-02-29T00:00:00Z", "no date"],
    ["2026-04-31T00:00:00Z", "no date"],
    ["2026-13-01T00:00:00Z", "no date"],
    ["2026-00-01T00:00:00Z", "no date"],
    ["0000-01-01T00:00:00Z", "no date"],
    ["2026-02-10T24:00:00Z", "no time of day"],
    ["2026-12-31T23:59:60Z", "no time of day"],
    ["2026-02-10T12:60:00Z", "no time of day"],
    ["2026-02-10T12:00:00+24:00", "no offset"],
    ["2026-02-10T12:00:00+00:60", "no offset"],
    ["2026-02-10T12:00:00", "no RFC 3339 time"],
    ["2026-02-10 12:00:00Z", "no RFC 3339 time"],
    ["2026-02-10T12:00:00.Z", "no RFC 3339 time"],
    ["2026-02-10T12:00:00Z\n", "no RFC 3339 time"],
    ["2026-02-10", "no RFC 3339 time"],
    ["", "no RFC 3339 time"],
    ["0001-01-01T00:00:00+00:01", "outside the years"],
    ["9999-12-31T23:59:59-00:01", "outside the years"],
  ])("%s is refused: %s", (text, what) => {
    expect(refusalOf(text).what).toContain(what);
    expect(refusalOf(text).remedy).not.toBe("");
    expect(isTimestamp(text)).toBe(false);
  });

  it("go to microseconds and back", () => {
    const micros = fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n });
    fc.assert(
      fc.property(micros, (value) => {
        const text = formatTimestamp(value);
        expect(isTimestamp(text)).toBe(true);
        expect(parseTimestamp(text)).toBe(value);
      }),
    );
    expect(() => formatTimestamp(253_402_300_800_000_000n)).toThrow(TimestampInvalid);
    expect(() => formatTimestamp(-62_135_596_800_000_001n)).toThrow(TimestampInvalid);
    expect(isTimestamp(timestampNow())).toBe(true);
  });
});

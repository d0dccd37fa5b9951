/** Strings, hashes and numbers as records may hold them. */
import * as Schema from "effect/Schema";

/** Most characters (Unicode code points) of an identifier: `trace_id`, `run_id`, `tenant_id`, `correlation_id`. */
export const IDENTIFIER_CHARACTERS_MAX = 255;

/** Whether a text is one that a record may hold. */
export const isRecordText = (text: string): boolean =>
  text.isWellFormed() && !text.includes("\u0000");

/** A string of a record: valid Unicode with no lone surrogate and no U+0000. */
export const RecordText = Schema.String.check(
  Schema.makeFilter((text: string) => isRecordText(text), {
    message: "must be valid Unicode with no lone surrogate and no U+0000",
  }),
);

/** Whether a text is an identifier: record text of 1 to 255 Unicode code points. */
export const isIdentifier = (text: string): boolean =>
  text.length > 0 &&
  isRecordText(text) &&
  (text.length <= IDENTIFIER_CHARACTERS_MAX ||
    (text.length <= IDENTIFIER_CHARACTERS_MAX * 2 &&
      [...text].length <= IDENTIFIER_CHARACTERS_MAX));

/** An identifier of a record: 1 to 255 characters, counted as Unicode code points. */
export const Identifier = RecordText.check(
  Schema.isBetweenCodePoints(1, IDENTIFIER_CHARACTERS_MAX, {
    message: `must be 1 to ${IDENTIFIER_CHARACTERS_MAX} characters`,
  }),
);

/** A SHA-256 hash: 64 lower-case hex digits. */
export const HashHex = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{64}$/u, { message: "must be 64 lower-case hex digits" }),
);

/** An integer within ±(2^53-1). */
export const SafeInteger = Schema.Finite.check(
  Schema.makeFilter((n: number) => Number.isSafeInteger(n), {
    message: "must be an integer within ±(2^53-1)",
  }),
);

/** An integer from 0 to 2^53-1. */
export const Count = Schema.Finite.check(
  Schema.makeFilter((n: number) => Number.isSafeInteger(n) && n >= 0, {
    message: "must be an integer from 0 to 2^53-1",
  }),
);

/** A number from 0 to 2^53-1, whole or not: every double above is an integer beyond what records hold. */
export const Amount = Schema.Finite.check(
  Schema.makeFilter((n: number) => n >= 0 && n <= Number.MAX_SAFE_INTEGER, {
    message: "must be a number from 0 to 2^53-1",
  }),
);

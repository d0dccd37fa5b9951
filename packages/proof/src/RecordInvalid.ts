/** The refusal of a record that is not as the format says. */
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import * as SchemaIssue from "effect/SchemaIssue";
import { jsonPath } from "./internal/JsonPath.ts";
import { Refusal } from "./Refusal.ts";

/** A record, or what one should be made of, that is not as the format says. */
export class RecordInvalid extends Refusal {
  readonly _tag = "RecordInvalid";
}

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1();

/** The first thing that a schema found wrong, as a refusal. */
export const recordInvalidFrom = (issue: SchemaIssue.Issue, remedy: string): RecordInvalid => {
  const first = formatIssue(issue).issues[0];
  const parts = (first?.path ?? []).map((part) => (typeof part === "object" ? part.key : part));
  const path = jsonPath(parts.map((part) => (typeof part === "number" ? part : String(part))));
  return new RecordInvalid(path, first?.message ?? "not as the format says", remedy);
};

/** A function that gives a value back as what a schema describes, or throws `RecordInvalid`. */
export const validator = <S extends Schema.Codec<any, any>>(schema: S, remedy: string) => {
  const decode = Schema.decodeUnknownResult(schema);
  return (value: unknown): S["Type"] => {
    const result = decode(value);
    if (Result.isFailure(result)) throw recordInvalidFrom(result.failure.issue, remedy);
    return result.success;
  };
};

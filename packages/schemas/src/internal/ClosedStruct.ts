import * as Schema from "effect/Schema";

/**
 * A struct in which every key must be present and no other key may be, whatever parse options the caller gives:
 * Effect's own structs drop unknown keys silently by default, and a dropped key is a lost fact.
 */
export const closedStruct = <const Fields extends Schema.Struct.Fields>(
  fields: Fields,
): Schema.Codec<Schema.Struct.Type<Fields>, Schema.Struct.Encoded<Fields>> => {
  const known = new Set(Object.keys(fields));
  const isUnknownKey = Schema.makeFilter((key: string) => !known.has(key));
  const nothing = Schema.Never.annotate({ message: "this key does not belong here" });
  const closed = Schema.StructWithRest(Schema.Struct(fields), [
    Schema.Record(Schema.String.check(isUnknownKey), nothing),
  ]);
  // The rest's type, "every other key is never", would make every known key unassignable.
  return closed as unknown as Schema.Codec<
    Schema.Struct.Type<Fields>,
    Schema.Struct.Encoded<Fields>
  >;
};

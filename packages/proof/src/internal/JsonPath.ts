/** A key of an object, or an index of an array. */
export type JsonPathPart = string | number;

const IDENTIFIER = /^[A-Za-z_$][A-Za-z0-9_$]*$/u;

/** A JSON path from the root: `$`, then `.key` where the key is an identifier, else `["key"]`; `[3]` for an index. */
export const jsonPath = (parts: ReadonlyArray<JsonPathPart>): string =>
  parts.reduce<string>(
    (path, part) =>
      typeof part === "number"
        ? `${path}[${part}]`
        : path + (IDENTIFIER.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`),
    "$",
  );

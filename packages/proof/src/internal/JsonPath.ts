/** One step further in a JSON path: `.key` where the key is an identifier, else `["key"]`; `[3]` for an index. */
export const pathOf = (parent: string, key: string | number): string =>
  typeof key === "number"
    ? `${parent}[${key}]`
    : /^[A-Za-z_$][A-Za-z0-9_$]*$/u.test(key)
      ? `${parent}.${key}`
      : `${parent}[${JSON.stringify(key)}]`;

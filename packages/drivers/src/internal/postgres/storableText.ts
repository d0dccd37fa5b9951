/** Whether something is a text that PostgreSQL can hold: any string without U+0000. */
export const isStorable = (value: unknown): value is string =>
  typeof value === "string" && !value.includes("\u0000");

/** What `plainText` does with numbers of which more than one spelling or meaning is possible. */
export type LargeIntegers = "refuse" | "keep";

/** So many keys' texts are kept: records and payloads of a program repeat theirs. */
const KEY_TEXTS_MAX = 4096;
const KEY_UNITS_MAX = 64;
const keyTexts = new Map<string, string>();

const keyTextOf = (key: string): string | undefined => {
  const known = keyTexts.get(key);
  if (known !== undefined) return known;
  if (!key.isWellFormed()) return undefined;
  const text = `${JSON.stringify(key)}:`;
  if (key.length <= KEY_UNITS_MAX && keyTexts.size < KEY_TEXTS_MAX) keyTexts.set(key, text);
  return text;
};

const isInOrder = (keys: ReadonlyArray<string>): boolean => {
  for (let at = 1; at < keys.length; at++) if (keys[at]! < keys[at - 1]!) return false;
  return true;
};

/**
 * The canonical text of what is plain JSON in every part, or undefined where anything in it is not: the quick way for
 * nearly every value, of which the careful ways then say the rest. Members are read once, so a getter counts as its value.
 */
export const plainText = (
  value: unknown,
  depth_max: number,
  largeIntegers: LargeIntegers,
): string | undefined => {
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? JSON.stringify(value) : undefined;
    case "number":
      if (Number.isSafeInteger(value)) return Object.is(value, -0) ? undefined : String(value);
      if (!Number.isFinite(value)) return undefined;
      return largeIntegers === "refuse" && Number.isInteger(value) ? undefined : String(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (depth_max === 0) return undefined;
      return Array.isArray(value)
        ? arrayText(value, depth_max, largeIntegers)
        : objectText(value, depth_max, largeIntegers);
    default:
      return undefined;
  }
};

const arrayText = (
  array: ReadonlyArray<unknown>,
  depth_max: number,
  largeIntegers: LargeIntegers,
): string | undefined => {
  if (Object.getPrototypeOf(array) !== Array.prototype) return undefined;
  // One name beside the items: their length.
  if (Reflect.ownKeys(array).length !== array.length + 1) return undefined;
  let text = "[";
  for (let index = 0; index < array.length; index++) {
    const item = plainText(array[index], depth_max - 1, largeIntegers);
    if (item === undefined) return undefined;
    text += index > 0 ? `,${item}` : item;
  }
  return `${text}]`;
};

const objectText = (
  object: object,
  depth_max: number,
  largeIntegers: LargeIntegers,
): string | undefined => {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) return undefined;
  const keys = Object.keys(object);
  if (!isInOrder(keys)) keys.sort();
  let text = "{";
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at]!;
    const keyText = keyTextOf(key);
    const member = (object as Readonly<Record<string, unknown>>)[key];
    const memberText = plainText(member, depth_max - 1, largeIntegers);
    if (keyText === undefined || memberText === undefined) return undefined;
    text += at > 0 ? `,${keyText}${memberText}` : keyText + memberText;
  }
  return `${text}}`;
};

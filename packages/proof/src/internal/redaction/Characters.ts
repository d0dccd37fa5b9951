/** Kinds of characters, by their UTF-16 units. Past the end of a text every kind says no. */

export const isDigit = (unit: number): boolean => unit >= 48 && unit <= 57;

export const isUpper = (unit: number): boolean => unit >= 65 && unit <= 90;

export const isLetter = (unit: number): boolean => isUpper(unit) || (unit >= 97 && unit <= 122);

export const isAlphanumeric = (unit: number): boolean => isDigit(unit) || isLetter(unit);

export const isBase64url = (unit: number): boolean =>
  isAlphanumeric(unit) || unit === 45 || unit === 95;

/** Letters with marks and Cyrillic, which names of mailboxes and hosts may have. */
export const isForeignLetter = (unit: number): boolean => unit >= 0xc0 && unit < 0x600;

/** White space, quotes and brackets: what a URL or a bare value ends at. */
export const isBreak = (unit: number): boolean =>
  Number.isNaN(unit) ||
  unit <= 32 ||
  unit === 34 ||
  unit === 39 ||
  unit === 60 ||
  unit === 62 ||
  unit === 96;

/** Whether a token may begin at a place: not inside a word, but after an escape such as `\n` or `%3D`. */
export const isTokenStart = (text: string, at: number): boolean => {
  const before = text.charCodeAt(at - 1);
  if (at === 0 || !(isAlphanumeric(before) || before === 95)) return true;
  if ("nrtbf".includes(text[at - 1]!) && text[at - 2] === "\\") return true;
  return text[at - 3] === "%" && /^[\dA-Fa-f]{2}$/u.test(text.slice(at - 2, at));
};

/** Where a run of characters of one kind ends. */
export const runEnd = (text: string, from: number, isOne: (unit: number) => boolean): number => {
  let at = from;
  while (at < text.length && isOne(text.charCodeAt(at))) at += 1;
  return at;
};

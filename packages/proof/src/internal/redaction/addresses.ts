/** E-mail addresses and credentials in URLs. What is looked back over and forward over at two places does not overlap. */
import { isAlphanumeric, isBreak, isForeignLetter, runEnd } from "./Characters.ts";
import type { Emit } from "./Span.ts";

/** Longer mailboxes are none; each place is looked back from over at most so much. */
const LOCAL_MAX = 128;
const DOMAIN_MAX = 255;

/** What files are called, and no domains: `icon@2x.png`. */
const FILE_ENDINGS =
  /\.(?:png|jpe?g|gif|webp|svg|avif|ico|js|ts|mjs|cjs|jsx|tsx|css|json|html?|map|md|ya?ml|tgz|gz|zip|tar|whl|jar|txt|lock)$/iu;
const DOMAIN =
  /^(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+(?:\p{L}{2,24}|xn--[a-z0-9-]{1,59})$/iu;

const isLocal = (unit: number): boolean =>
  isAlphanumeric(unit) ||
  isForeignLetter(unit) ||
  (unit < 127 && ".!#$&'*+-/=?^_{|}~%".includes(String.fromCharCode(unit)));
const isDomain = (unit: number): boolean =>
  isAlphanumeric(unit) || isForeignLetter(unit) || unit === 45 || unit === 46;

const AT_SIGN = /@|%40/gu;

export const findEmails = (text: string, emit: Emit): void => {
  for (const { 0: sign, index } of text.matchAll(AT_SIGN)) {
    let start = index;
    while (start > 0 && index - start < LOCAL_MAX) {
      const unit = text.charCodeAt(start - 1);
      // Before `%40` an escape is no letter of the name; a parameter's or path's sign begins it anywhere.
      if (!isLocal(unit) || "=/?&#'".includes(text[start - 1]!) || (sign === "%40" && unit === 37))
        break;
      start -= 1;
    }
    while (
      start < index &&
      !isAlphanumeric(text.charCodeAt(start)) &&
      !isForeignLetter(text.charCodeAt(start)) &&
      text[start] !== "_"
    )
      start += 1;
    // The letter of an escape such as `\n` is no part of it.
    if (text[start - 1] === "\\" && "nrt".includes(text[start]!)) start += 1;
    if (start >= index || text[index - 1] === ".") continue;
    const from = index + sign.length;
    let end = Math.min(runEnd(text, from, isDomain), from + DOMAIN_MAX);
    while (end > from && ".-".includes(text[end - 1]!)) end -= 1;
    const domain = text.slice(from, end);
    if (!DOMAIN.test(domain) || FILE_ENDINGS.test(domain)) continue;
    // The user of a host: `git@host:path`, `ssh://deploy@host`.
    const local = text.slice(start, index);
    if (local === "git" || text.startsWith("//", start - 2)) continue;
    if (text[end] === ":" && /^[\w~.-]+\//u.test(text.slice(end + 1, end + 64))) continue;
    emit(start, end);
  }
};

/** How far a password that has a slash of its own is followed. */
const LOOSE_MAX = 256;

const isPastAuthority = (unit: number): boolean =>
  isBreak(unit) || unit === 47 || unit === 63 || unit === 35 || unit === 92 || unit === 44;

/** The user and password before a URL's host. */
export const findUrlPasswords = (text: string, emit: Emit): void => {
  for (const { 0: found, index } of text.matchAll(/(?:\\?\/){2}/gu)) {
    const from = index + found.length;
    const hasScheme = text[index - 1] === ":";
    // `//user:password@host` refers to another host only where a reference begins.
    if (!hasScheme && index > 0 && !isBreak(text.charCodeAt(index - 1)) && text[index - 1] !== "=")
      continue;
    const end = runEnd(text, from, (unit) => !isPastAuthority(unit));
    const strict = text.slice(from, end);
    const loose = text
      .slice(from, Math.min(text.length, end + LOOSE_MAX))
      .split(/[\s"'<>`]/u, 1)[0]!;
    const hasColon = strict.includes(":");
    // A port is digits: what else follows a colon is a password that holds a slash.
    const isLoose =
      hasScheme && hasColon && !strict.includes("@") && !/^[^:]*:\d*$|^\[/u.test(strict);
    const authority = isLoose ? loose : strict;
    const sign = authority.lastIndexOf("@");
    if (sign < 1) continue;
    const user = authority.slice(0, sign);
    const colon = user.indexOf(":");
    const isSecret = colon === -1 ? user.length >= 16 && /\d/u.test(user) : colon < user.length - 1;
    if (isSecret && user !== "[redacted]") emit(from, from + sign);
  }
};

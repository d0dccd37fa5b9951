/** Takes secrets out of what an HTTP call records. */

/** Id of these rules, for the trace record. New rules get a new id. */
export const HTTP_REDACTION = "http-secrets@v2";

/** What stands where a secret was. */
export const REDACTED = "[redacted]";

/**
 * Names of headers and parameters whose values are credentials: too much hidden is better than one kept for ever.
 * `author` and `keyword` are none.
 */
const SECRET_NAME =
  /auth(?!or(?!i))|token|secret|key(?!word)|pass|pwd|session|signature|credential|cookie|bearer|jwt|saml|ticket/iu;

/** Names that are credentials as a whole and common inside others, in lower case. */
const SECRET_WHOLE_NAMES = new Set(["code", "otp", "sid", "sig"]);

/** Headers whose whole value is a URL, in lower case. */
const URL_HEADERS = new Set(["location", "content-location", "referer"]);

/** Where URLs stand in other headers: `<…>` of Link, `url=…` of Refresh, and what names its scheme anywhere. */
const URLS_IN_TEXT =
  /(<)([^\s>]*)|(\burl\s*=\s*["']?)([^"']*)|([a-z][a-z0-9+.-]{0,19}:\/\/[^\s<>"]+)/giu;

/** Values inside values (a URL in a parameter of a URL) that are looked into; what lies deeper is hidden whole. */
const NESTING_MAX = 4;

/** The headers with the values of those that carry credentials replaced. Names stay as they are written. */
export const redactHeaders = (
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      if (isSecretName(name)) return [name, REDACTED];
      return [name, URL_HEADERS.has(name.toLowerCase()) ? redactUrl(value) : redactUrlsIn(value)];
    }),
  );

const redactUrlsIn = (text: string): string =>
  text.replace(URLS_IN_TEXT, (_, bracket, inBrackets, assign, assigned, bare) =>
    bracket !== undefined
      ? `<${redactUrl(inBrackets)}`
      : assign !== undefined
        ? `${assign}${redactUrl(assigned)}`
        : redactUrl(bare),
  );

/**
 * The URL, absolute or relative, with user, password and the values of secret parameters replaced: those of the query, of
 * the fragment and of path segments. An absolute one comes in the form in which it is sent, which alone says what in it is
 * a user or a password.
 */
export const redactUrl = (url: string): string => {
  if (URL.canParse(url)) return redactParsed(new URL(url));
  // A base only tells a reference with a host of its own from a path.
  const base = "http://base.invalid";
  if (!URL.canParse(url, base)) return REDACTED;
  const parsed = new URL(url, base);
  const hasHost = parsed.host !== "base.invalid" || hasUser(parsed);
  return hasHost
    ? redactParsed(parsed).slice("http:".length)
    : redactParts(url.replaceAll(/[\t\r\n]/gu, "").trim());
};

const hasUser = ({ username, password }: URL): boolean => username !== "" || password !== "";

const redactParsed = (url: URL): string => {
  const withUser = hasUser(url);
  url.username = "";
  url.password = "";
  // A scheme without `//` may hold another URL: `blob:https://user:password@host`.
  if (!/^[^/]*:\/\//u.test(url.href) && url.href.includes("@")) return `${url.protocol}${REDACTED}`;
  const text = redactParts(url.href);
  return withUser ? text.replace("://", `://${REDACTED}@`) : text;
};

/** Path, query and fragment are each read alone: a value ends where its part does. */
const redactParts = (url: string): string =>
  url.replace(
    /^([^?#]*)(\?[^#]*)?(#.*)?$/su,
    (_, path: string, query: string = "", fragment: string = "") =>
      [path, query, fragment].map((part) => redactPairs(part, 0)).join(""),
  );

/** Replaces the values of secret names in `name=value` pairs, and values that hold such pairs. */
const redactPairs = (text: string, nesting: number): string =>
  text.replace(/(^|[?#&;])([^=?#&;]*)=([^&;]*)/gu, (whole, mark, name, value) =>
    isSecretName(decode(name)) || holdsSecret(decode(value), nesting)
      ? `${mark}${name}=${REDACTED}`
      : whole,
  );

const holdsSecret = (value: string, nesting: number): boolean => {
  if (URL.canParse(value) && hasUser(new URL(value))) return true;
  if (!value.includes("=")) return false;
  return nesting === NESTING_MAX || redactPairs(value, nesting + 1) !== value;
};

const isSecretName = (name: string): boolean =>
  SECRET_NAME.test(name) || SECRET_WHOLE_NAMES.has(name.toLowerCase());

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
};

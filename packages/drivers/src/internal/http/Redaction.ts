/** Takes secrets out of what an HTTP call records. */

/** Id of these rules, for the trace record. New rules get a new id. */
export const HTTP_REDACTION = "http-secrets@v1";

/** What stands where a secret was. */
export const REDACTED = "[redacted]";

/** Headers that carry credentials, in lower case. */
const SECRET_HEADERS = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "api-key",
  "x-auth-token",
  "x-amz-security-token",
  "x-goog-api-key",
]);

/** Query parameters that carry credentials, in lower case. */
const SECRET_PARAMETERS = new Set([
  "access_token",
  "api_key",
  "apikey",
  "auth",
  "client_secret",
  "key",
  "password",
  "secret",
  "sig",
  "signature",
  "token",
  "x-amz-credential",
  "x-amz-security-token",
  "x-amz-signature",
]);

/** Headers whose value is a URL and may carry credentials in it, in lower case. */
const URL_HEADERS = new Set(["location", "content-location", "referer"]);

/** The headers with the values of those that carry credentials replaced. Names stay as they are written. */
export const redactHeaders = (
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const lowerCase = name.toLowerCase();
      if (SECRET_HEADERS.has(lowerCase)) return [name, REDACTED];
      return [name, URL_HEADERS.has(lowerCase) ? redactUrl(value) : value];
    }),
  );

/** The URL, absolute or relative, with user, password and the values of secret query parameters replaced. */
export const redactUrl = (url: string): string => {
  const withoutUser = url.replace(
    /^([a-z][a-z0-9+.-]*:)?\/\/[^/?#]*@/iu,
    (_, scheme = "") => `${scheme}//${REDACTED}@`,
  );
  return withoutUser.replace(/([?&])([^=&#]*)=([^&#]*)/gu, (whole, mark, name) =>
    SECRET_PARAMETERS.has(decodeName(name)) ? `${mark}${name}=${REDACTED}` : whole,
  );
};

const decodeName = (name: string): string => {
  try {
    return decodeURIComponent(name.replaceAll("+", " ")).toLowerCase();
  } catch {
    return name.toLowerCase();
  }
};

/** Decides whether a failed HTTP call may succeed when it is made again, and when. */

/** Statuses that say "later": timeout, too early, too many requests, and every server error. */
export const isRetryableStatus = (status: number): boolean =>
  status === 408 || status === 425 || status === 429 || (status >= 500 && status <= 599);

/** Methods that change nothing where they go (RFC 9110, section 9.2.1). */
export const isSafe = (method: string): boolean => ["GET", "HEAD", "OPTIONS"].includes(method);

/** Methods that may be repeated after the request may have arrived (RFC 9110, section 9.2.2). */
export const isIdempotent = (method: string): boolean =>
  ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].includes(method);

/** The wait that a Retry-After asks for, in seconds or as a date (RFC 9110, section 10.2.3); null where it says nothing. */
export const retryAfter_ms = (value: string | undefined, now_ms: number): number | null => {
  const text = value?.trim() ?? "";
  if (/^\d{1,9}$/u.test(text)) return Number(text) * 1_000;
  // A date has the form `Sun, 06 Nov 1994 08:49:37 GMT`; Date.parse alone would take `1` and `-5` as years.
  const date = /^[A-Z][a-z]+,? .*GMT$/u.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? null : Math.max(0, date - now_ms);
};

/** Errors of the network that arise before a request is sent: repeating can't do anything twice. */
const BEFORE_SENDING = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Why no response came. */
export interface NetworkFailure {
  readonly outcome_code: string;
  readonly message: string;
  readonly isTransient: boolean;
  readonly wasSent: boolean;
}

/** Reads the reason out of the chain of causes that a client wraps around a system's error. */
export const networkFailure = (error: unknown): NetworkFailure => {
  const root = causeWithCode(error);
  const code = root?.code ?? "NETWORK";
  return {
    outcome_code: code,
    // Node's own texts name host and port, never a path, a header or a user.
    message: root?.message !== undefined && root.message !== "" ? root.message : code,
    isTransient: !isPermanent(code),
    wasSent: !BEFORE_SENDING.has(code),
  };
};

/** A certificate that is not accepted, or a request that the client itself refuses, stays so. */
const isPermanent = (code: string): boolean =>
  /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UND_ERR_(INVALID|NOT_SUPPORTED|REQ)/u.test(code);

const causeWithCode = (
  error: unknown,
): { readonly code: string; readonly message: string } | undefined => {
  for (let current = error, depth = 0; current instanceof Error && depth < 8; depth++) {
    const { code } = current as { readonly code?: unknown };
    if (typeof code === "string") return { code, message: current.message };
    current = current.cause;
  }
  return undefined;
};

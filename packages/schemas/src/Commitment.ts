/** Commitments: what a record holds in place of a payload. */
import * as Schema from "effect/Schema";

/** `sha256:` and the hex of the hash over salt, name and value. */
export const Commitment = Schema.String.check(
  Schema.isPattern(/^sha256:[0-9a-f]{64}$/u, {
    message: "must be sha256: and 64 lower-case hex digits",
  }),
);
export type Commitment = typeof Commitment.Type;

/** 16 random bytes as 22 characters of unpadded base64url. The last one carries two bits only: A, Q, g or w. */
export const Salt = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9_-]{21}[AQgw]$/u, {
    message: "must be 16 bytes as 22 characters of unpadded base64url",
  }),
);
export type Salt = typeof Salt.Type;

/** What discloses one payload: its salt and its value. */
export const Disclosure = Schema.Tuple([Salt, Schema.Json]);
export type Disclosure = typeof Disclosure.Type;

/** Redaction rules, as data: what is a secret by the name of its field, and what by its own form. */

/** The characters that the rest of a token may have. */
export type TokenCharacters = "upper" | "alphanumeric" | "hyphen" | "base64url" | "dotted";

/** The forms of text that are known by more than their beginning. */
export type TextForm =
  | "email"
  | "card"
  | "ssn"
  | "jwt"
  | "pem"
  | "bearer"
  | "url-password"
  | "parameter"
  | "assignment";

/** One rule. Names are compared without case and separators: `API-Key`, `apiKey` and `api_key` are one. */
export type RedactionRule =
  | {
      readonly id: string;
      readonly kind: "field";
      /** Whole names. */
      readonly names: ReadonlyArray<string>;
      /** What other names end with. */
      readonly endings?: ReadonlyArray<string>;
      /** Endings of names that are none for all that. */
      readonly except?: ReadonlyArray<string>;
    }
  | {
      readonly id: string;
      readonly kind: "prefix";
      readonly prefixes: ReadonlyArray<string>;
      readonly characters: TokenCharacters;
      /** How many characters follow the prefix at least. */
      readonly length_min: number;
    }
  | { readonly id: string; readonly kind: "form"; readonly form: TextForm };

/** Rules under an id with a version: other rules get another. */
export interface RedactionRules {
  readonly id: string;
  readonly rules: ReadonlyArray<RedactionRule>;
}

const field = (
  id: string,
  names: ReadonlyArray<string>,
  endings: ReadonlyArray<string> = [],
  except: ReadonlyArray<string> = [],
): RedactionRule => ({ id, kind: "field", names, endings, except });

const token = (
  id: string,
  prefixes: ReadonlyArray<string>,
  characters: TokenCharacters,
  length_min: number,
): RedactionRule => ({ id, kind: "prefix", prefixes, characters, length_min });

const form = (id: string, name: TextForm): RedactionRule => ({ id, kind: "form", form: name });

/** What is applied where nobody chose other rules. */
export const DEFAULT_RULES: RedactionRules = {
  id: "default@v1",
  rules: [
    field(
      "field-password",
      ["pwd", "pass", "dbpass", "userpass", "passwordhash", "passwords"],
      ["password", "passwd", "passphrase", "passcode", "pwd"],
    ),
    field(
      "field-token",
      ["jwt", "bearer"],
      ["token"],
      // Places in a listing and a model's alphabet are no credentials.
      [
        "pagetoken",
        "nexttoken",
        "continuationtoken",
        "synctoken",
        "cursortoken",
        "pertoken",
        "eostoken",
        "bostoken",
        "padtoken",
        "unktoken",
        "septoken",
        "clstoken",
        "masktoken",
        "stoptoken",
        "starttoken",
        "endtoken",
        "maxtoken",
      ],
    ),
    field(
      "field-key",
      ["subscriptionkey"],
      [
        "apikey",
        "secretkey",
        "accesskey",
        "privatekey",
        "signingkey",
        "encryptionkey",
        "masterkey",
        "sharedkey",
        "accountkey",
        "authkey",
        "hmackey",
        "sshkey",
        "sessionkey",
      ],
    ),
    field("field-secret", [], ["secret", "secrets"]),
    field("field-authorization", ["authorization", "proxyauthorization", "xauthorization"]),
    field("field-cookie", ["cookie", "cookies", "setcookie", "jsessionid", "phpsessid"]),
    field("field-credentials", [], ["credential", "credentials"]),
    field("field-ssn", ["socialsecurity"], ["ssn", "socialsecuritynumber"]),
    field(
      "field-card",
      ["creditcard", "debitcard", "cardno", "cardnum", "ccnumber", "cvv", "cvc", "cvv2", "cvc2"],
      ["cardnumber", "creditcardno", "cardcvv", "cardcvc", "cardsecuritycode"],
    ),
    field(
      "field-code",
      ["pin", "pinnumber", "otp", "totp", "mfacode", "otpcode"],
      ["onetimecode", "verificationcode"],
    ),
    field(
      "field-account",
      ["iban", "routingnumber"],
      [
        "bankaccountnumber",
        "passportnumber",
        "driverlicensenumber",
        "driverslicensenumber",
        "taxpayerid",
      ],
    ),
    token("aws-key", ["AKIA", "ASIA"], "upper", 16),
    token("github-token", ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], "alphanumeric", 30),
    token("github-token", ["github_pat_"], "base64url", 22),
    token(
      "slack-token",
      ["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"],
      "hyphen",
      10,
    ),
    token("slack-token", ["https://hooks.slack.com/services/"], "dotted", 20),
    token("anthropic-key", ["sk-ant-"], "base64url", 20),
    token("openai-key", ["sk-proj-", "sk-svcacct-", "sk-admin-"], "base64url", 20),
    token("openai-key", ["sk-"], "alphanumeric", 20),
    token("google-key", ["AIza"], "base64url", 35),
    token("google-key", ["GOCSPX-"], "base64url", 20),
    token("google-key", ["ya29."], "base64url", 20),
    token("stripe-key", ["sk_live_", "sk_test_", "rk_live_", "rk_test_"], "alphanumeric", 10),
    token("stripe-key", ["whsec_"], "alphanumeric", 20),
    token("other-key", ["glpat-"], "base64url", 20),
    token("other-key", ["npm_"], "alphanumeric", 36),
    token("other-key", ["hf_"], "alphanumeric", 30),
    form("email", "email"),
    form("card", "card"),
    form("ssn", "ssn"),
    form("jwt", "jwt"),
    form("private-key", "pem"),
    form("bearer", "bearer"),
    form("url-password", "url-password"),
    form("parameter", "parameter"),
    form("assignment", "assignment"),
  ],
};

/** A rule that is left out at a JSON path of the record (`$.params.to`) and below it; `$` is everywhere. */
export interface RuleOff {
  readonly rule: string;
  readonly path: string;
}

/** Which names of fields, parameters and headers are those of secrets. */
import type { RedactionRule } from "../../RedactionRules.ts";

/** What a name says of its value. */
export interface NameSense {
  /** The rule by which a field of this name is a secret, or null. */
  readonly rule: string | null;
  /** Whether it is one as a URL's parameter or a header, where short and common words are secrets too. */
  readonly isParameter: boolean;
}

/** Too much hidden is better than one kept for ever. `author` and `keyword` are none. */
const PARAMETER_NAME =
  /auth(?!or(?!i))|token|secret|key(?!word)|pass|pwd|session|signature|credential|cookie|bearer|jwt|saml|ticket/iu;
const PARAMETER_WHOLE_NAMES = new Set(["code", "otp", "sid", "sig"]);

/** Longer names are no names. */
const NAME_UNITS_MAX = 128;
/** So many names are kept with what they say: payloads of a program repeat theirs. */
const KNOWN_MAX = 4096;

const plain = (name: string): string => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "");

const NOTHING: NameSense = { rule: null, isParameter: false };

/** Reads names under some rules. */
export const nameReader = (rules: ReadonlyArray<RedactionRule>): ((name: string) => NameSense) => {
  const known = new Map<string, NameSense>();
  const fields = rules.filter((rule) => rule.kind === "field");
  const whole = new Map(fields.flatMap(({ id, names }) => names.map((name) => [plain(name), id])));
  const endings = fields.flatMap(({ id, endings = [], except = [] }) =>
    endings.map((ending) => ({ id, ending: plain(ending), except: except.map(plain) })),
  );
  const ruleOf = (name: string): string | null =>
    whole.get(name) ??
    endings.find(
      ({ ending, except }) => name.endsWith(ending) && !except.some((each) => name.endsWith(each)),
    )?.id ??
    null;
  return (name) => {
    if (name.length > NAME_UNITS_MAX || name.length < 2) return NOTHING;
    const before = known.get(name);
    if (before !== undefined) return before;
    const rule = ruleOf(plain(name));
    const isParameter =
      rule !== null || PARAMETER_NAME.test(name) || PARAMETER_WHOLE_NAMES.has(name.toLowerCase());
    const sense = rule === null && !isParameter ? NOTHING : { rule, isParameter };
    if (known.size < KNOWN_MAX) known.set(name, sense);
    return sense;
  };
};

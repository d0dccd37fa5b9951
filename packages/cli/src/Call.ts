/** What a step called, in a few words. */
import type { JsonValue } from "@runproof/proof/CanonicalJson";
import { makeRedactor } from "@runproof/proof/Redaction";
import { DEFAULT_RULES } from "@runproof/proof/RedactionRules";

const redactor = makeRedactor(DEFAULT_RULES);

/** Arguments are shown up to here: what stands in a cell is cut anyway. */
const ARGUMENTS_CHARACTERS_MAX = 200;

/**
 * A recorded call in a few words: of `http_call` its method and path, of any other skill its name with its arguments, which the
 * record has masked already.
 */
export const describeRecorded = (
  skill_id: string,
  skill_name: string,
  params: JsonValue,
): string => {
  const call = describe(skill_id, params);
  if (call !== null) return call;
  const isNamed = typeof params === "object" && params !== null && !Array.isArray(params);
  const said = isNamed
    ? Object.entries(params).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    : [JSON.stringify(params)];
  return `${skill_name}(${said.join(", ").slice(0, ARGUMENTS_CHARACTERS_MAX)})`;
};

/**
 * A call of `http_call` as its method and path; null for any other skill, whose name says it. Of a query only the names are
 * shown: a plan's values may be secrets, which the record masks and a terminal would keep.
 */
export const describe = (skill_id: string, params: unknown): string | null => {
  if (skill_id !== "http_call" || typeof params !== "object" || params === null) return null;
  const { method, url } = params as { readonly method?: unknown; readonly url?: unknown };
  if (typeof method !== "string" || typeof url !== "string" || !URL.canParse(url)) return null;
  const { pathname, searchParams } = new URL(url);
  const names = [...new Set(searchParams.keys())].map((name) => `${encodeURIComponent(name)}=…`);
  return redactor.text(`${method} ${pathname}${names.length === 0 ? "" : `?${names.join("&")}`}`);
};

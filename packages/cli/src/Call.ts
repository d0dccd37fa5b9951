/** What a step called, in a few words. */
import { makeRedactor } from "@runproof/proof/Redaction";
import { DEFAULT_RULES } from "@runproof/proof/RedactionRules";

const redactor = makeRedactor(DEFAULT_RULES);

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

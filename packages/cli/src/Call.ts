/** What a step called, in a few words. */

/** A call of `http_call` as its method and path; null for any other skill, whose name says it. */
export const describe = (skill_id: string, params: unknown): string | null => {
  if (skill_id !== "http_call" || typeof params !== "object" || params === null) return null;
  const { method, url } = params as { readonly method?: unknown; readonly url?: unknown };
  if (typeof method !== "string" || typeof url !== "string" || !URL.canParse(url)) return null;
  const { pathname, search } = new URL(url);
  return `${method} ${pathname}${search}`;
};

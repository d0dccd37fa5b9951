/** Decides what a policy says of a call. Pure, and linear in the texts that it compares. */
import type { Policy, PolicyEffect, PolicyRule } from "@runproof/schemas/Policy";

/** A call, as rules see it. */
export interface Call {
  readonly skill_id: string;
  readonly params: unknown;
}

/** Where a call goes, of one that names a URL. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly method: string;
  /** Whether an address that the host stands for is not public; null where nobody has looked. */
  readonly is_private: boolean | null;
}

/** What a rule decided. */
export interface Ruling {
  readonly effect: PolicyEffect;
  /** Counted from 0; null where no rule matched. */
  readonly rule: number | null;
  readonly reason: string | null;
}

const PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** Where a call goes; null where its params name no URL. */
export const targetOf = (params: unknown): Omit<Target, "is_private"> | null => {
  if (typeof params !== "object" || params === null) return null;
  const { url, method } = params as { readonly url?: unknown; readonly method?: unknown };
  if (typeof url !== "string" || !URL.canParse(url)) return null;
  const { hostname, port, protocol } = new URL(url);
  return {
    // A name with a dot at its end is the same name.
    host: hostname.toLowerCase().replace(/\.$/u, ""),
    port: port === "" ? (PORTS[protocol] ?? 0) : Number(port),
    method: typeof method === "string" ? method.toUpperCase() : "",
  };
};

/** Whether a text fits a pattern in which `*` stands for any characters: each part is looked for once, from left to right. */
export const fits = (pattern: string, text: string): boolean => {
  const [first = "", ...rest] = pattern.split("*");
  if (!text.startsWith(first)) return false;
  if (rest.length === 0) return text === first;
  const last = rest.pop()!;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
};

const valueAt = (params: unknown, path: string): unknown =>
  path
    .split(".")
    .reduce<unknown>(
      (value, key) =>
        typeof value === "object" && value !== null && Object.hasOwn(value, key)
          ? (value as Readonly<Record<string, unknown>>)[key]
          : undefined,
      params,
    );

const fitsParam = (params: unknown, path: string, pattern: string): boolean => {
  const value = valueAt(params, path);
  if (value === undefined) return false;
  return fits(pattern, typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
};

const matches = (rule: PolicyRule, { skill_id, params }: Call, target: Target | null): boolean => {
  if (rule.skill !== undefined && !fits(rule.skill, skill_id)) return false;
  const isAimed =
    rule.host !== undefined ||
    rule.port !== undefined ||
    rule.method !== undefined ||
    rule.network !== undefined;
  if (isAimed && target === null) return false;
  if (target !== null) {
    if (rule.host !== undefined && !fits(rule.host.toLowerCase(), target.host)) return false;
    if (rule.port !== undefined && rule.port !== target.port) return false;
    if (rule.method !== undefined && !fits(rule.method, target.method)) return false;
    // Nobody has looked: that it is public can't be said, so what is blocked or warned of stays so.
    const is_private = target.is_private ?? rule.effect !== "allow";
    if (rule.network === "private" && !is_private) return false;
  }
  return Object.entries(rule.params ?? {}).every(([path, pattern]) =>
    fitsParam(params, path, pattern),
  );
};

/** Whether a rule asks where a host lies. */
export const asksNetwork = ({ rules }: Policy): boolean =>
  rules.some(({ network }) => network !== undefined);

/** What the policy says of a call: the first rule that matches, or that it is allowed. */
export const decide = (policy: Policy, call: Call, target: Target | null): Ruling => {
  const rule = policy.rules.findIndex((each) => matches(each, call, target));
  const found = policy.rules[rule];
  return found === undefined
    ? { effect: "allow", rule: null, reason: null }
    : { effect: found.effect, rule, reason: found.reason };
};

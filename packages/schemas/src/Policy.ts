/** Policies: what a tenant's runs may call. */
import * as Schema from "effect/Schema";
import { closedStruct } from "./internal/ClosedStruct.ts";
import { RecordText } from "./Text.ts";

/** Most rules of one policy: each call is compared with each. */
export const POLICY_RULES_MAX = 500;

/** Longest pattern. */
export const POLICY_PATTERN_CHARACTERS_MAX = 1_000;

const Pattern = RecordText.check(
  Schema.isBetweenCodePoints(1, POLICY_PATTERN_CHARACTERS_MAX, {
    message: `must be 1 to ${POLICY_PATTERN_CHARACTERS_MAX} characters`,
  }),
);

/** What a rule does to a call that it matches. */
export const PolicyEffect = Schema.Literals(["allow", "warn", "block"]);
export type PolicyEffect = typeof PolicyEffect.Type;

/**
 * One rule. It matches a call that fits everything it names; the first rule that matches decides. In a pattern `*` stands
 * for any characters.
 */
export const PolicyRule = closedStruct({
  effect: PolicyEffect,
  /** Said to whoever is warned or blocked. */
  reason: Pattern,
  skill: Schema.optionalKey(Pattern),
  /** Of a call that has a `url`: its host, without the port. */
  host: Schema.optionalKey(Pattern),
  /** Its port, the scheme's own where the URL names none. */
  port: Schema.optionalKey(Schema.Int),
  /** Its method, in capitals. */
  method: Schema.optionalKey(Pattern),
  /** `private`: its host is, or resolves to, an address that is loopback, private, link-local or otherwise not public. */
  network: Schema.optionalKey(Schema.Literal("private")),
  /** Values of params by their path, such as `order.amount_cents`: texts as patterns, anything else as its JSON. */
  params: Schema.optionalKey(Schema.Record(Pattern, Pattern)),
});
export interface PolicyRule extends Schema.Schema.Type<typeof PolicyRule> {}

/** A policy. What no rule matches is allowed. */
export const Policy = closedStruct({
  rules: Schema.Array(PolicyRule).check(
    Schema.isBetweenLength(1, POLICY_RULES_MAX, {
      message: `must have 1 to ${POLICY_RULES_MAX} rules`,
    }),
  ),
});
export interface Policy extends Schema.Schema.Type<typeof Policy> {}

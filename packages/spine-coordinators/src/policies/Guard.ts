/** Decides, before a step acts, whether it may: by the policy and the limits of its run's tenant. */
import type { JsonValue } from "@runproof/proof/CanonicalJson";
import { parseJson } from "@runproof/proof/JsonText";
import { recordInvalidFrom } from "@runproof/proof/RecordInvalid";
import { Refusal } from "@runproof/proof/Refusal";
import type { ResolvedHost } from "@runproof/drivers/HttpCallSkill";
import { Policy } from "@runproof/schemas/Policy";
import {
  type DatabaseError,
  InvalidInput,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import { asksNetwork, type Call, decide, type Ruling, targetOf } from "./decide.ts";
import { type LimitInForce, type LimitKind, PoliciesBridge } from "./PoliciesBridge.ts";

/** A step may be taken. */
export interface Decision {
  readonly effect: "allow" | "warn";
  /** What the step carries of it; undefined where there is nothing to say. */
  readonly note: JsonValue | undefined;
  /** The addresses that were looked at: the call goes to these. */
  readonly bound: ResolvedHost | null;
}

/** A step may not be taken. */
export interface Blocked {
  readonly effect: "block";
  readonly policy_version: number | null;
  /** In fixed words: `rule 2 of policy version 5`, `limit steps_per_run`. */
  readonly by: string;
  readonly rule: string;
  readonly reason: string;
  readonly limit: {
    readonly kind: LimitKind;
    readonly value: number;
    readonly observed: number;
  } | null;
}

/** What a run has used so far. */
export interface Spent {
  readonly steps: number;
  readonly elapsed_ms: number;
}

const decodePolicy = Schema.decodeUnknownResult(Policy);

/** Reads a policy's text; fails where it is not one. */
export const readPolicy = (text: string, where: string): Effect.Effect<Policy, InvalidInput> =>
  Effect.suspend(() => {
    const remedy =
      'Write it as {"rules": [{"effect": "block", "host": "*.internal", "reason": "…"}]}.';
    try {
      const decoded = decodePolicy(parseJson(text));
      if (Result.isSuccess(decoded)) return Effect.succeed(decoded.success);
      const { path, what } = recordInvalidFrom(decoded.failure.issue, remedy);
      return Effect.fail(new InvalidInput({ what, where: `${where}: ${path}`, remedy }));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return Effect.fail(new InvalidInput({ what: error.message, where, remedy }));
    }
  });

/** What no policy says of a call. */
const NOTHING_RULED = { ruling: null, bound: null };

/** The guard of one run: the policy and the limits as they were when it began. */
export class Guard {
  readonly #policy: Policy | null;
  /** The version of the policy that the run stands under; null where its tenant has none. */
  readonly policy_version: number | null;
  readonly #limits: ReadonlyArray<LimitInForce>;
  readonly #network: PoliciesBridge["Service"]["network"];
  readonly #issued = new WeakSet<Decision>();
  #cost_cents = 0;
  #retries = 0;

  private constructor(
    policy: { readonly version: number; readonly policy: Policy } | null,
    limits: ReadonlyArray<LimitInForce>,
    network: PoliciesBridge["Service"]["network"],
  ) {
    this.#policy = policy?.policy ?? null;
    this.policy_version = policy?.version ?? null;
    this.#limits = limits;
    this.#network = network;
  }

  /** The guard of a run that begins now, or that began under a version; null for one that began under none. */
  static readonly load = Effect.fnUntraced(function* (
    tenant_id: string,
    version_begun?: number | null,
  ): Effect.fn.Return<Guard, DatabaseError | StoredDataUnreadable, PoliciesBridge> {
    const { inForce, policies, network } = yield* PoliciesBridge;
    const { policy: newest, limits } = yield* inForce(tenant_id);
    const stored =
      version_begun === undefined
        ? newest
        : (yield* policies.read(tenant_id)).find(({ version }) => version === version_begun);
    if (stored === undefined && typeof version_begun === "number") {
      return yield* new StoredDataUnreadable({
        where: `version ${version_begun} of the policy of tenant ${tenant_id}`,
        what: "a run began under it, and it is gone",
      });
    }
    if (stored === undefined || stored === null) return new Guard(null, limits, network);
    const { version, document } = stored;
    const where = `version ${version} of the policy of tenant ${tenant_id}`;
    const policy = yield* readPolicy(document, where).pipe(
      Effect.mapError(({ what }) => new StoredDataUnreadable({ where, what })),
    );
    return new Guard({ version, policy }, limits, network);
  });

  /** What the policy says of a call, with nothing counted: a plan is looked through so before its first step. */
  readonly foresee = Effect.fnUntraced({ self: this }, function* (call: Call) {
    const policy = this.#policy;
    if (policy === null) return NOTHING_RULED;
    const found = targetOf(call.params);
    if (found === null) return { ruling: decide(policy, call, null), bound: null };
    if (!asksNetwork(policy))
      return { ruling: decide(policy, call, { ...found, is_private: null }), bound: null };
    const addresses = yield* this.#network.addressesOf(found.host);
    // One that stands for no address now may stand for one later: nobody knows which.
    const is_private =
      addresses.length === 0 ? null : addresses.some(this.#network.isPrivateAddress);
    return {
      ruling: decide(policy, call, { ...found, is_private }),
      bound: { host: found.host, addresses },
    };
  });

  /** Decides on a step that is about to be taken. */
  readonly decide = Effect.fnUntraced(
    { self: this },
    function* (call: Call, spent: Spent): Effect.fn.Return<Decision | Blocked> {
      const limit = this.#limitHit(spent);
      if (limit !== null) {
        return {
          effect: "block",
          policy_version: null,
          by: `limit ${limit.kind}`,
          rule: limit.kind,
          reason: `the limit ${limit.kind} is ${limit.value}, and the run is at ${limit.observed}`,
          limit,
        };
      }
      // Most tenants have no policy, and every step comes by here.
      const { ruling, bound } = this.#policy === null ? NOTHING_RULED : yield* this.foresee(call);
      if (ruling?.effect === "block") return this.blockedBy(ruling);
      const decision: Decision = {
        effect: ruling?.effect ?? "allow",
        note:
          ruling?.effect === "warn"
            ? {
                decision: "WARNED",
                version: this.policy_version,
                rule: ruling.rule,
                reason: ruling.reason,
              }
            : undefined,
        bound,
      };
      this.#issued.add(decision);
      return decision;
    },
  );

  /** How a ruling that blocks is told of. */
  blockedBy({ rule, reason }: Ruling): Blocked {
    return {
      effect: "block",
      policy_version: this.policy_version,
      by: `rule ${rule} of policy version ${this.policy_version}`,
      rule: `rule ${rule}`,
      reason: reason ?? "",
      limit: null,
    };
  }

  /** Whether this guard made a decision: nobody else can. */
  hasMade(decision: Decision | undefined): boolean {
    return decision !== undefined && this.#issued.has(decision);
  }

  /** Counts what a step that was taken used. */
  count(step: { readonly status: string; readonly cost_cents: number | null }): void {
    this.#cost_cents += step.cost_cents ?? 0;
    if (step.status === "retry") this.#retries += 1;
  }

  #limitHit({ steps, elapsed_ms }: Spent): Blocked["limit"] {
    const observed: Partial<Record<LimitKind, number>> = {
      steps_per_run: steps,
      cost_cents_per_run: this.#cost_cents,
      duration_ms_per_run: elapsed_ms,
      retries_per_run: this.#retries,
    };
    for (const { kind, value } of this.#limits) {
      const used = observed[kind];
      // Of steps the next one would be one too many; of the others, what was used is over.
      if (used !== undefined && (kind === "steps_per_run" ? used >= value : used > value))
        return { kind, value, observed: used };
    }
    return null;
  }
}

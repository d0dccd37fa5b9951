/** Tenants, the API keys that speak for them, and who a key that was shown speaks for. */
import { type DatabaseError, InvalidInput } from "@runproof/schemas/RunProofError";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { isSecretOf, makeApiKey, parseApiKey } from "./ApiKeyText.ts";
import { type ApiKey, IdentitiesBridge, type Tenant } from "./IdentitiesBridge.ts";

export type { ApiKey, Tenant };

/** What a key lets its holder do: `write` records, `read` looks and proves, `admin` changes what the tenant may. */
export const SCOPES = ["write", "read", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** A key to make. */
export interface NewApiKey {
  readonly tenant_id: string;
  readonly name: string;
  readonly scopes: ReadonlyArray<Scope>;
  /** RFC 3339; null for a key that does not expire. */
  readonly expires_at: string | null;
}

/** Whom a request speaks for. */
export interface Caller {
  /** Which key: what is done with it is said to be done by it. */
  readonly key_id: string;
  readonly tenant_id: string;
  readonly scopes: ReadonlyArray<string>;
}

/** Tenants and their keys. */
export class IdentityCoordinator extends Context.Service<
  IdentityCoordinator,
  {
    /** Answers whether it is new. */
    readonly createTenant: (tenant_id: string) => Effect.Effect<boolean, DatabaseError>;
    readonly listTenants: () => Effect.Effect<ReadonlyArray<Tenant>, DatabaseError>;
    /** Answers the key's text, which is kept nowhere. */
    readonly createKey: (
      key: NewApiKey,
    ) => Effect.Effect<
      { readonly key: string; readonly key_id: string },
      DatabaseError | InvalidInput
    >;
    readonly listKeys: (
      tenant_id: string | null,
    ) => Effect.Effect<ReadonlyArray<ApiKey>, DatabaseError>;
    readonly revokeKey: (key_id: string) => Effect.Effect<void, DatabaseError | InvalidInput>;
    /** Whom a key speaks for; null for one that is unknown, revoked or expired, without a word which of them. */
    readonly authenticate: (key: string) => Effect.Effect<Caller | null, DatabaseError>;
    /** Whether any key has been made: without one a service is for its own machine alone. */
    readonly hasKeys: Effect.Effect<boolean, DatabaseError>;
  }
>()("@runproof/spine-coordinators/identities/IdentityCoordinator") {
  static readonly layer: Layer.Layer<IdentityCoordinator, never, IdentitiesBridge> = Layer.effect(
    IdentityCoordinator,
    Effect.map(IdentitiesBridge, ({ tenants, keys }) =>
      IdentityCoordinator.of({
        createTenant: tenants.create,
        listTenants: tenants.list,
        createKey: Effect.fnUntraced(function* (asked) {
          const { key, ...kept } = makeApiKey();
          if (yield* keys.create({ ...asked, ...kept })) return { key, key_id: kept.key_id };
          return yield* new InvalidInput({
            what: `there is no tenant ${asked.tenant_id}`,
            where: "tenant_id",
            remedy:
              "Make it with `runproof tenants create`, or name one of `runproof tenants list`.",
          });
        }),
        listKeys: keys.list,
        revokeKey: Effect.fnUntraced(function* (key_id) {
          if (yield* keys.revoke(key_id)) return;
          return yield* new InvalidInput({
            what: `there is no API key ${key_id}`,
            where: "key_id",
            remedy: "Name one of `runproof keys api list`, by its id and not by its secret.",
          });
        }),
        authenticate: Effect.fnUntraced(function* (text) {
          const parts = parseApiKey(text);
          if (parts === null) return null;
          const found = yield* keys.find(parts.key_id);
          if (found === null) return null;
          if (!isSecretOf(parts.secret, found.secret_hash) || !found.is_live) return null;
          yield* keys.touch(parts.key_id);
          return { key_id: parts.key_id, tenant_id: found.tenant_id, scopes: found.scopes };
        }),
        hasKeys: Effect.map(keys.list(null), (all) => all.length > 0),
      }),
    ),
  );
}

import type { DatabaseError } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";
import type { LimitInForce } from "../controls/readLimits.ts";
import type { LimitKind } from "../controls/setLimit.ts";
import type { Database } from "../Database.ts";
import { databaseError } from "../internal/postgres/sqlReason.ts";
import { textArray } from "../internal/postgres/textArray.ts";
import type { StoredPolicy } from "./readPolicies.ts";

/** What a tenant's runs stand under when they begin now. */
export interface InForce {
  /** The newest policy; null where the tenant has none. */
  readonly policy: Pick<StoredPolicy, "version" | "document"> | null;
  readonly limits: ReadonlyArray<LimitInForce>;
}

interface Row {
  readonly tenant_id: string;
  readonly version: bigint | null;
  readonly document: string | null;
  readonly kind: LimitKind | null;
  readonly value: number | null;
}

/** Reads what is in force for tenants, in their order, at one moment. */
export const readInForce =
  ({ sql, description }: Database["Service"]) =>
  (tenant_ids: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<InForce>, DatabaseError> =>
    sql<Row>`
      select asked.tenant_id, p.version, p.document, l.kind, l.value
      from unnest(${textArray([...new Set(tenant_ids)])}) as asked(tenant_id)
      left join lateral (
        select version, document from aos_policies where tenant_id = asked.tenant_id order by version desc limit 1
      ) as p on true
      left join lateral (
        select distinct on (kind) kind, value from aos_limits where tenant_id = asked.tenant_id order by kind, limit_id desc
      ) as l on l.value is not null
      order by l.kind`.pipe(
      Effect.map((rows) => {
        const of = Map.groupBy(rows, ({ tenant_id }) => tenant_id);
        return tenant_ids.map((tenant_id) => inForce(of.get(tenant_id)!));
      }),
      Effect.mapError(databaseError("readInForce", description)),
    );

const inForce = (rows: ReadonlyArray<Row>): InForce => {
  const { version, document } = rows[0]!;
  return {
    policy: version === null ? null : { version: Number(version), document: document! },
    limits: rows.flatMap(({ kind, value }) => (kind === null ? [] : [{ kind, value: value! }])),
  };
};

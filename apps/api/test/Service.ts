/** A service of its own for tests: in this process, on a free port, over a new database of the run's server. */
import { IdentityCoordinator } from "@runproof/spine-coordinators/identities/IdentityCoordinator";
import * as RunproofLayer from "@runproof/spine-coordinators/RunproofLayer";
import { SchemaCoordinator } from "@runproof/spine-coordinators/schema/SchemaCoordinator";
import { createDatabase } from "@runproof/tooling/PostgresServer";
import * as ConfigProvider from "effect/ConfigProvider";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as HttpServer from "effect/http/HttpServer";
import * as Layer from "effect/Layer";
import * as Scope from "effect/Scope";
import * as Server from "../src/Server.ts";
import type { ServiceConfig } from "../src/ServiceConfig.ts";

export const SECRET = "a secret that all processes of the service share";

/** A migrated database. */
export const migrated = async (url: string) => {
  const database = await createDatabase(url);
  await Effect.flatMap(SchemaCoordinator, (schema) => schema.migrate()).pipe(
    Effect.provide(RunproofLayer.schemaFromEnvironment({ databaseUrl: database.url })),
    Effect.runPromise,
  );
  return database;
};

/** A key of a tenant, which is made where it is not. */
export const keyOf = (
  databaseUrl: string,
  tenant_id: string,
  scopes: ReadonlyArray<"write" | "read" | "admin"> = ["write", "read"],
  expires_at: string | null = null,
): Promise<string> =>
  IdentityCoordinator.use((identities) =>
    Effect.andThen(
      identities.createTenant(tenant_id),
      identities.createKey({ tenant_id, name: "test", scopes, expires_at }),
    ),
  ).pipe(
    Effect.map(({ key }) => key),
    Effect.provide(RunproofLayer.operatingFromEnvironment({ databaseUrl })),
    Effect.runPromise,
  );

/** An answer, its body read if it is JSON. */
export interface Answer {
  readonly status: number;
  readonly headers: { readonly get: (name: string) => string | null };
  readonly text: string;
  readonly body: Record<string, unknown>;
}

/** A service that listens. */
export interface Service {
  readonly url: string;
  readonly call: (
    method: string,
    path: string,
    key?: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Answer>;
  readonly close: () => Promise<void>;
}

/** Starts a service; `call` sends JSON to it. */
export const serve = async (
  databaseUrl: string,
  quiet_ms?: number,
  environment: Readonly<Record<string, string>> = {},
  more: Partial<ServiceConfig> = {},
): Promise<Service> => {
  const scope = Effect.runSync(Scope.make());
  const config = { port: 0, host: "127.0.0.1", holder_secret: SECRET, quiet_ms, ...more };
  const layer = Server.layer(config).pipe(
    Layer.provide(RunproofLayer.schemaFromEnvironment({ databaseUrl })),
    Layer.provide(RunproofLayer.fromEnvironment({ databaseUrl, holder_secret: SECRET })),
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: { ...environment } }))),
  );
  const context = await Effect.runPromise(Layer.buildWithScope(layer, scope));
  const { address } = Context.get(context, HttpServer.HttpServer);
  if (address._tag === "UnixPathAddress") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;
  return {
    url,
    call: async (
      method: string,
      path: string,
      key?: string,
      body?: unknown,
      headers: Readonly<Record<string, string>> = {},
    ) => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get("content-type")?.includes("json") === true;
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: (isJson && text !== "" ? JSON.parse(text) : {}) as Record<string, unknown>,
      };
    },
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  };
};

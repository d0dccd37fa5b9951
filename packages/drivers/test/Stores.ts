/** The stores over a database. */
import { Database, type DatabaseConfig } from "@runproof/drivers/Database";
import * as PostgresTraceStore from "@runproof/drivers/PostgresTraceStore";
import type { TraceStore } from "@runproof/drivers/TraceStore";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";

/** All that the suites use. */
export type Stores = Database | TraceStore;

/** The configuration of a server's database. */
export const serverConfig = (url: string): DatabaseConfig => ({
  kind: "server",
  url: Redacted.make(url),
});

/** The stores over a database; each call opens it anew, as another process would. */
export const storesOn = (config: DatabaseConfig) =>
  Layer.fresh(PostgresTraceStore.layer.pipe(Layer.provideMerge(Database.layer(config))));

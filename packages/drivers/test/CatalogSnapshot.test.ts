/**
 * Goal: the snapshot that drift is compared with is what the migrations make, on every version of the server. Method: the
 * catalog of a database that was just migrated. `RUNPROOF_WRITE_CATALOG=1` writes the snapshot anew after a migration changed.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "@effect/vitest";
import { catalogSnapshot } from "@runproof/drivers/CatalogDrift";
import { Database } from "@runproof/drivers/Database";
import * as Effect from "effect/Effect";
import { describe, expect } from "vitest";
import snapshot from "../src/internal/catalog.json" with { type: "json" };
import { readCatalog } from "../src/internal/postgres/readCatalog.ts";
import { serverStores } from "./Databases.ts";

const FILE = join(import.meta.dirname, "../src/internal/catalog.json");

describe("the catalog's snapshot", () => {
  it.live("is what the migrations make", () =>
    Effect.gen(function* () {
      const { sql } = yield* Database;
      const made = catalogSnapshot(yield* readCatalog(sql));
      if (process.env["RUNPROOF_WRITE_CATALOG"] === "1")
        writeFileSync(FILE, `${JSON.stringify(made, null, 1)}\n`);
      else expect(snapshot).toEqual(made);
    }).pipe(Effect.provide(serverStores)),
  );
});

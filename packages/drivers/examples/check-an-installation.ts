import { databaseConfig } from "@runproof/drivers/Database";
import { examine } from "@runproof/drivers/Doctor";
import { ConfigurationInvalid } from "@runproof/schemas/RunProofError";
import * as Effect from "effect/Effect";

// A database that can't be opened is a failed check, not a failure: DATABASE_URL may be wrong.
const config = databaseConfig(process.env);
const checks =
  config instanceof ConfigurationInvalid
    ? [{ name: "configuration", status: "fail", detail: config.message, remedy: config.remedy }]
    : await Effect.runPromise(examine(config));

for (const { name, status, detail, remedy } of checks) {
  console.log(`${status} ${name}: ${detail}${remedy === null ? "" : ` → ${remedy}`}`);
}

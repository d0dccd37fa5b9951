import { type Database, OPERATOR_ROLE } from "../Database.ts";
import { asRole } from "../internal/postgres/asRole.ts";

/** Runs what changes sealed evidence, or what governs it, as the operator's role, in one transaction. */
export const asOperator = (database: Database["Service"]) => asRole(OPERATOR_ROLE, database);

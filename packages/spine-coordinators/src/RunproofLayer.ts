/** Everything a program needs to record, prove and read runs, composed. */

/** Where the database is. What is left out is read from the environment. */
export interface RunproofSettings {
  /** Instead of `DATABASE_URL`. */
  readonly databaseUrl?: string | undefined;
  /** Instead of `RUNPROOF_HOME`: the folder of the embedded database. */
  readonly home?: string | undefined;
  /** Refuses the embedded database, as `USE_POSTGRES_TRACES=true` does. */
  readonly requireServer?: boolean | undefined;
}

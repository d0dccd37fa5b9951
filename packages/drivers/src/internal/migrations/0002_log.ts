import type { Migration } from "./Migration.ts";

/**
 * The transparency log. Writers queue entries in their own transaction, so appends never wait for each other;
 * one process at a time numbers what was committed, which leaves no gap whatever rolls back.
 */
export const migration: Migration = {
  id: 2,
  name: "log",
  statements: [
    `create table aos_log_queue (
  queue_id       bigint      generated always as identity primary key,
  kind           smallint    not null constraint aos_log_queue_kind_known check (kind between 1 and 4),
  digest         text        not null constraint aos_log_queue_digest_is_hash check (digest ~ '^[0-9a-f]{64}$'),
  trace_id       text,
  event_record   text,
  queued_at      timestamptz not null default clock_timestamp(),
  transaction_id bigint      not null default pg_current_xact_id()::text::bigint
)`,
    `create table aos_log_entries (
  log_index    bigint      primary key,
  kind         smallint    not null,
  digest       text        not null,
  trace_id     text,
  event_record text,
  queued_at    timestamptz not null,
  sequenced_at timestamptz not null default clock_timestamp()
)`,
    `create index aos_log_entries_by_trace on aos_log_entries (trace_id, log_index)`,
    // Entries of no trace, the keys' changes, are found by what they say.
    `create index aos_log_entries_by_digest on aos_log_entries (digest) where trace_id is null`,
    // Full tiles only: 256 hashes of one level, and the root over them, which is one hash of the level above.
    `create table aos_log_tiles (
  level      smallint not null,
  tile_index bigint   not null,
  hashes     bytea    not null constraint aos_log_tiles_full check (length(hashes) = 8192),
  root       bytea    not null,
  primary key (level, tile_index)
)`,
    `create table aos_checkpoints (
  checkpoint_id bigint      generated always as identity primary key,
  origin        text        not null,
  tree_size     bigint      not null,
  root_hash     text        not null,
  note          text        not null,
  stored_at     timestamptz not null default clock_timestamp()
)`,
    `create index aos_checkpoints_by_size on aos_checkpoints (tree_size desc, checkpoint_id desc)`,
  ],
};

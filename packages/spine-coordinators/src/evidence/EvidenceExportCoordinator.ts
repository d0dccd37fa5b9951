/** Evidence for auditors: a table of runs with the verdict on each, and a manifest that says what the table is. */
import type { TraceFilter, TraceSummary } from "@runproof/drivers/logs/searchTraces";
import { sha256 } from "@runproof/proof/Hash";
import {
  type DatabaseError,
  InvalidInput,
  type LogForked,
  type LogShrunk,
  type RunDeleted,
  type StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import type { VerificationStatus } from "@runproof/schemas/RunProofResult";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Csv from "effect/encoding/Csv";
import * as Layer from "effect/Layer";
import * as Stream from "effect/Stream";
import { now } from "../internal/now.ts";
import { LogCoordinator } from "../ledger/LogCoordinator.ts";
import type { SignerError } from "../ledger/LedgerBridge.ts";
import { TraceCoordinator } from "../logs/TraceCoordinator.ts";
import { RunProofCoordinator } from "../proof/RunProofCoordinator.ts";

/** Runs of one export: each is verified, which takes some milliseconds, and its row is kept in memory. */
export const EXPORTED_RUNS_MAX = 10_000;

/** Runs of one page of the listing. */
const PAGE_RUNS = 500;

/** Which runs of a tenant. */
export type ExportFilter = Omit<TraceFilter, "limit" | "cursor">;

/** What an export holds. Hashes are SHA-256, hex. */
export interface ExportManifest {
  readonly type: "runproof/evidence-export@v1";
  readonly tenant_id: string;
  readonly made_at: string;
  /** What the runs were narrowed to. */
  readonly filter: Readonly<Record<string, string>>;
  readonly runs: number;
  readonly verdicts: Readonly<Record<VerificationStatus, number>>;
  /** The latest checkpoint of the log as it was when the export began; null where there was none. */
  readonly checkpoint: string | null;
  readonly files: ReadonlyArray<{
    readonly path: string;
    readonly bytes: number;
    readonly sha256: string;
  }>;
  readonly notes: ReadonlyArray<string>;
}

/** An export's files. */
export interface EvidenceExport {
  readonly manifest: ExportManifest;
  /** By path. */
  readonly files: Readonly<Record<string, string>>;
}

type ExportError =
  | DatabaseError
  | InvalidInput
  | LogForked
  | LogShrunk
  | RunDeleted
  | SignerError
  | StoredDataUnreadable;

/** Exports evidence. */
export class EvidenceExportCoordinator extends Context.Service<
  EvidenceExportCoordinator,
  {
    /** Verifies each run that the filter finds. More than `EXPORTED_RUNS_MAX` are refused: none is left out unsaid. */
    readonly export: (filter: ExportFilter) => Effect.Effect<EvidenceExport, ExportError>;
  }
>()("@runproof/spine-coordinators/evidence/EvidenceExportCoordinator") {
  static readonly layer: Layer.Layer<
    EvidenceExportCoordinator,
    never,
    TraceCoordinator | RunProofCoordinator | LogCoordinator
  > = Layer.effect(
    EvidenceExportCoordinator,
    Effect.gen(function* () {
      const context = yield* Effect.context<
        TraceCoordinator | RunProofCoordinator | LogCoordinator
      >();
      return EvidenceExportCoordinator.of({
        export: (filter) => Effect.provideContext(exportEvidence(filter), context),
      });
    }),
  );
}

const NOTES = [
  "The verdicts say what the stored records came to when the export was made. `runproof verify` judges a run's bundle without its database.",
  "That no run is missing is not shown by this list: `runproof audit` compares what is stored with the signed log.",
  "A cell that a spreadsheet would take for a formula begins with an apostrophe, which is no part of the value.",
];

const COLUMNS = [
  "run_id",
  "trace_id",
  "agent_id",
  "verification_status",
  "failure_reason",
  "assurance",
  "lifecycle",
  "status",
  "capture",
  "root_hash",
  "chain_length",
  "started_at",
  "completed_at",
  "verified_at",
  "is_synthetic",
] as const;

type Row = Readonly<Record<(typeof COLUMNS)[number], string>>;

/** What a spreadsheet runs as a formula, or takes the start of a cell for. */
const FORMULA = /^[=+\-@\t\r]/u;

const cell = (value: string | number | boolean | null): string => {
  const text = value === null ? "" : String(value);
  return FORMULA.test(text) ? `'${text}` : text;
};

const listAll = Effect.fnUntraced(function* (filter: ExportFilter) {
  const { list } = yield* TraceCoordinator;
  const all: Array<TraceSummary> = [];
  for (let cursor: string | undefined; ;) {
    const page = yield* list({ ...filter, limit: PAGE_RUNS, cursor });
    all.push(...page.traces);
    if (all.length > EXPORTED_RUNS_MAX) {
      return yield* new InvalidInput({
        where: "the filter",
        what: `it finds more than ${EXPORTED_RUNS_MAX} runs`,
        remedy: "Narrow it, such as by started_from and started_before, and export the parts.",
      });
    }
    if (page.next_cursor === null) return all;
    cursor = page.next_cursor;
  }
});

const exportEvidence = Effect.fn("EvidenceExportCoordinator.export")(function* (
  filter: ExportFilter,
) {
  const { judge } = yield* RunProofCoordinator;
  const made_at = yield* now;
  const checkpoint = yield* (yield* LogCoordinator).latest;
  const { tenant_id, ...narrowed } = filter;
  const verdicts = { VERIFIED: 0, FAILED: 0, UNSUPPORTED: 0 };
  const rows: Array<Row> = [];
  for (const { run_id, ...listed } of yield* listAll(filter)) {
    const verdict = yield* judge({ tenant_id, run_id });
    const { verification_status, failure_reason, root_hash, chain_length } = verdict.integrity;
    verdicts[verification_status] += 1;
    rows.push({
      run_id: cell(run_id),
      trace_id: cell(listed.trace_id),
      agent_id: cell(listed.agent_id),
      verification_status,
      failure_reason: cell(failure_reason),
      assurance: cell(verdict.assurance),
      lifecycle: cell(verdict.lifecycle),
      status: cell(listed.status),
      capture: cell(verdict.capture),
      root_hash: cell(root_hash),
      chain_length: cell(chain_length),
      started_at: cell(listed.started_at),
      completed_at: cell(listed.completed_at),
      verified_at: verdict.verified_at,
      is_synthetic: cell(listed.is_synthetic),
    });
  }
  const runs = yield* Stream.fromIterable(rows).pipe(
    Stream.pipeThroughChannel(Csv.encodeString({ columns: COLUMNS, headers: true })),
    Stream.mkString,
  );
  const files = { "runs.csv": runs };
  return {
    files,
    manifest: {
      type: "runproof/evidence-export@v1" as const,
      tenant_id,
      made_at,
      filter: Object.fromEntries(
        Object.entries(narrowed).filter(([, value]) => value !== undefined),
      ) as Readonly<Record<string, string>>,
      runs: rows.length,
      verdicts,
      checkpoint,
      files: Object.entries(files).map(([path, text]) => ({
        path,
        bytes: Buffer.byteLength(text),
        sha256: sha256(text),
      })),
      notes: NOTES,
    },
  } satisfies EvidenceExport;
});

/** Proves one run from what is stored. */
import type { StoredRun } from "@runproof/drivers/logs/readRun";
import { BundleTooLarge, bundleText, makeBundle, makeStepBundle } from "@runproof/proof/Bundle";
import type { JsonObject } from "@runproof/proof/CanonicalJson";
import { parseCanonical } from "@runproof/proof/JsonText";
import {
  noTraceVerdict,
  type StoredPayload,
  type StoredRunVerdict,
  StoredRunVerifier,
} from "@runproof/proof/StoredRun";
import { verifyBundle } from "@runproof/proof/Verifier";
import type { Bundle, LogProofs, StepBundle } from "@runproof/schemas/Bundle";
import {
  type DatabaseError,
  InvalidInput,
  type LogForked,
  type LogShrunk,
  type RunNotFound,
  StoredDataUnreadable,
} from "@runproof/schemas/RunProofError";
import { REASON_OPEN, type RunProofResult } from "@runproof/schemas/RunProofResult";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { bundleProofs } from "../ledger/internal/bundleProofs.ts";
import { now } from "../internal/now.ts";
import { refusable } from "../internal/refused.ts";
import { LogCoordinator } from "../ledger/LogCoordinator.ts";
import { LogsBridge } from "../logs/LogsBridge.ts";

/** Which run to prove, and how. */
export interface GetRunProof {
  readonly tenant_id: string;
  readonly run_id: string;
  /** `HASH_CHAIN` where it is left out. */
  readonly model?: "HASH_CHAIN" | "MERKLE_TREE" | undefined;
  /** Whether `raw_logs` holds the payloads' values; false where it is left out. */
  readonly include_payloads?: boolean | undefined;
}

/** A run of a tenant. */
export interface RunReference {
  readonly tenant_id: string;
  readonly run_id: string;
}

/** A bundle's text, and what is to be known of it. */
export interface BundleFile {
  readonly text: string;
  /** Why it holds no proof from the log, where it holds none; else what was not checked of it. */
  readonly notes: ReadonlyArray<string>;
}

/** What keeps a bundle from being made. */
export type BundleError =
  | DatabaseError
  | RunNotFound
  | InvalidInput
  | StoredDataUnreadable
  | LogForked
  | LogShrunk;

/** Verdicts and bundles. */
export class RunProofCoordinator extends Context.Service<
  RunProofCoordinator,
  {
    /** A verdict on one run. A run that the tenant does not have is UNSUPPORTED, never another tenant's. */
    readonly getRunProof: (input: GetRunProof) => Effect.Effect<RunProofResult, DatabaseError>;
    /**
     * The run as a bundle, to verify offline. Refused where there is no seal, or the evidence contradicts. It holds the
     * log's proofs where a checkpoint covers the run, or this process has the key to sign one.
     */
    readonly getBundle: (run: RunReference) => Effect.Effect<BundleFile, BundleError>;
    /** One step as a bundle, with nothing of the other steps: the plan and what else the trace and seal commit to is withheld. */
    readonly getStepBundle: (
      step: RunReference & { readonly step_index: number },
    ) => Effect.Effect<BundleFile, BundleError>;
  }
>()("@runproof/spine-coordinators/proof/RunProofCoordinator") {
  static readonly layer: Layer.Layer<RunProofCoordinator, never, LogsBridge | LogCoordinator> =
    Layer.effect(
      RunProofCoordinator,
      Effect.gen(function* () {
        const logs = yield* LogsBridge;
        const log = yield* LogCoordinator;
        const signed = Effect.provideService(LogCoordinator, log);
        return RunProofCoordinator.of({
          getRunProof: getRunProof(logs),
          getBundle: (run) => signed(getBundle(logs)(run)),
          getStepBundle: (step) => signed(getStepBundle(logs)(step)),
        });
      }),
    );
}

type Logs = LogsBridge["Service"];

const getRunProof = (logs: Logs) =>
  Effect.fn("RunProofCoordinator.getRunProof")(function* ({
    tenant_id,
    run_id,
    model = "HASH_CHAIN",
    include_payloads = false,
  }: GetRunProof) {
    const verified_at = yield* now;
    return yield* logs.read({ tenant_id, run_id }).pipe(
      Effect.map((run) => {
        const verdict = verdictOn(run, model);
        // Rows whose record is another run's are another tenant's, perhaps: never shown, whatever the columns say.
        return saysAnotherRun(run, { tenant_id, run_id })
          ? withoutRows(run_id, anotherRunVerdict(verdict), verified_at)
          : resultOf(run_id, run, verdict, { include_payloads, verified_at });
      }),
      Effect.catchTag("RunNotFound", () =>
        Effect.succeed(withoutRows(run_id, noTraceVerdict(), verified_at)),
      ),
      // Rows that are there without the row that they hang on are evidence that was cut.
      Effect.catchTag("StoredDataUnreadable", ({ message }) =>
        Effect.succeed(withoutRows(run_id, traceGoneVerdict(message), verified_at)),
      ),
    );
  });

/** Verifies a stored run from its rows. */
const verdictOn = (run: StoredRun, model: "HASH_CHAIN" | "MERKLE_TREE"): StoredRunVerdict => {
  const verifier = new StoredRunVerifier(run.trace, {
    model,
    erasure_recorded: (step_index, name) => {
      const owner =
        step_index !== null ? `step ${step_index}` : name === "metadata" ? "seal" : "trace";
      return run.erasures_recorded.has(`${owner}:${name}`);
    },
    archival_recorded: () => run.archival_recorded,
  });
  for (const step of run.steps) verifier.addStep(step);
  return verifier.finish(run.seal);
};

const saysAnotherRun = ({ trace }: StoredRun, asked: RunReference): boolean => {
  const record = parseCanonical(trace.record);
  if (typeof record !== "object" || record === null || Array.isArray(record)) return false;
  const { tenant_id, run_id } = record as JsonObject;
  return tenant_id !== asked.tenant_id || run_id !== asked.run_id;
};

const ANOTHER_RUN = "the trace row stands for this run, and its record is another run's";

const anotherRunVerdict = (verdict: StoredRunVerdict): StoredRunVerdict => ({
  ...verdict,
  verification_status: "FAILED",
  failure_reason: verdict.failure_reason ?? ANOTHER_RUN,
  findings: [
    ...verdict.findings,
    { code: "FOREIGN_RECORD", step_index: null, message: ANOTHER_RUN },
  ],
});

const traceGoneVerdict = (message: string): StoredRunVerdict => ({
  ...noTraceVerdict(),
  verification_status: "FAILED",
  failure_reason: message,
  findings: [{ code: "GAP", step_index: null, message }],
});

const SELF_NOTE =
  "SELF: the records agree with their seal. Whoever owns the database could have rewritten both; a bundle or root kept elsewhere shows that.";

const proofOf = (run_id: string, verdict: StoredRunVerdict, verified_at: string) => {
  const isVerified = verdict.verification_status === "VERIFIED";
  const { findings_omitted } = verdict;
  return {
    run_id,
    integrity: {
      model: verdict.model,
      root_hash: verdict.root_hash,
      chain_length: verdict.chain_length,
      verification_status: verdict.verification_status,
      failure_reason: verdict.failure_reason,
    },
    verified_at,
    lifecycle: verdict.lifecycle,
    capture: verdict.capture,
    assurance: isVerified ? ("SELF" as const) : null,
    findings: verdict.findings,
    legacy_root_hash: verdict.legacy_root_hash,
    notes: [
      ...(isVerified ? [SELF_NOTE] : []),
      ...(findings_omitted > 0 ? [`${findings_omitted} more findings are not listed`] : []),
    ],
  };
};

const withoutRows = (
  run_id: string,
  verdict: StoredRunVerdict,
  verified_at: string,
): RunProofResult => ({
  ...proofOf(run_id, verdict, verified_at),
  aos_traces: [],
  aos_trace_steps: [],
  raw_logs: [],
});

const resultOf = (
  run_id: string,
  run: StoredRun,
  verdict: StoredRunVerdict,
  {
    include_payloads,
    verified_at,
  }: { readonly include_payloads: boolean; readonly verified_at: string },
): RunProofResult => ({
  ...proofOf(run_id, verdict, verified_at),
  aos_traces: [traceRow(run)],
  aos_trace_steps: run.steps.map(({ columns, record, leaf_hash, link, erased_at }) => ({
    ...columns,
    record,
    leaf_hash,
    link,
    erased_at,
  })),
  raw_logs: include_payloads ? payloadsOf(run) : [],
});

const traceRow = ({ trace, seal }: StoredRun) => ({
  ...trace.columns,
  ...seal?.columns,
  status: trace.status,
  record: trace.record,
  leaf_hash: trace.leaf_hash,
  link: trace.link,
  seal_record: seal?.record ?? null,
  root_hash: seal?.root_hash ?? null,
  archived_at: trace.archived_at,
  erased_at: trace.erased_at,
});

/** Every payload that is there, as `{of, name, value}`; a text that is not canonical JSON any more as `{of, name, text}`. */
const payloadsOf = ({ trace, steps, seal }: StoredRun): ReadonlyArray<JsonObject> => [
  ...shown("trace", trace.payloads),
  ...steps.flatMap(({ columns, payloads }) => shown(`step ${columns["step_index"]}`, payloads)),
  ...(seal === null ? [] : shown("seal", seal.payloads)),
];

const shown = (
  of: string,
  payloads: Readonly<Record<string, StoredPayload>>,
): ReadonlyArray<JsonObject> =>
  Object.entries(payloads).flatMap(([name, { text }]) => {
    if (text === null) return [];
    const value = parseCanonical(text);
    return [value === undefined ? { of, name, text } : { of, name, value }];
  });

/** Reads a run that a bundle may be made of: sealed, and not contradicted by its own rows. */
const readSealed = Effect.fnUntraced(function* (logs: Logs, { tenant_id, run_id }: RunReference) {
  const run = yield* logs.read({ tenant_id, run_id });
  const where = `run ${run_id}`;
  const { seal } = run;
  if (seal === null) {
    return yield* new InvalidInput({
      what: REASON_OPEN,
      where,
      remedy: "Wait until the run ends; one whose process died is aborted when its lease is over.",
    });
  }
  const { verification_status, failure_reason } = verdictOn(run, "HASH_CHAIN");
  if (saysAnotherRun(run, { tenant_id, run_id })) {
    return yield* new StoredDataUnreadable({ where, what: ANOTHER_RUN });
  }
  if (verification_status === "FAILED") {
    return yield* new StoredDataUnreadable({
      where,
      what: failure_reason ?? "it does not verify",
    });
  }
  return { ...run, seal, where };
});

/** Makes a bundle's text with what the log proves of the run. */
const withProofs = Effect.fnUntraced(function* (
  { trace, seal, where }: Effect.Success<ReturnType<typeof readSealed>>,
  make: (options: { readonly log?: LogProofs }) => Bundle | StepBundle,
) {
  const { log, note } = yield* bundleProofs({
    trace_id: String(trace.columns["trace_id"]),
    opened: trace.link,
    sealed: seal.root_hash,
  });
  const text = yield* refusable(() => bundleText(make(log === null ? {} : { log }))).pipe(
    Effect.mapError((refusal) =>
      refusal instanceof BundleTooLarge
        ? new InvalidInput({ what: refusal.what, where, remedy: refusal.remedy })
        : new StoredDataUnreadable({ where, what: refusal.message }),
    ),
  );
  // Whoever gets it must not be the first to see that it does not hold.
  const { integrity } = verifyBundle(text);
  if (integrity.verification_status === "FAILED") {
    const what = `its bundle would not verify: ${integrity.failure_reason}`;
    return yield* new StoredDataUnreadable({ where, what });
  }
  return { text, notes: note === null ? [] : [note] } satisfies BundleFile;
});

const getBundle = (logs: Logs) =>
  Effect.fn("RunProofCoordinator.getBundle")(function* (reference: RunReference) {
    const run = yield* readSealed(logs, reference);
    return yield* withProofs(run, (options) => makeBundle(run, options));
  });

const getStepBundle = (logs: Logs) =>
  Effect.fn("RunProofCoordinator.getStepBundle")(function* ({
    step_index,
    ...reference
  }: RunReference & { readonly step_index: number }) {
    const run = yield* readSealed(logs, reference);
    const { trace, steps, seal } = run;
    const step = steps[step_index];
    if (step === undefined) {
      return yield* new InvalidInput({
        what: `there is no step ${step_index}: the run has ${steps.length}, counted from 0`,
        where: run.where,
        remedy: "Name one of its steps; `runproof traces show` lists them.",
      });
    }
    const leaf_hashes = [trace, ...steps].map(({ leaf_hash }) => leaf_hash);
    return yield* withProofs(run, (options) =>
      makeStepBundle(
        { trace, step, seal, leaf_hashes },
        // The plan names every step, and the seal's metadata may too.
        { ...options, discloses: (of) => typeof of === "number" },
      ),
    );
  });
